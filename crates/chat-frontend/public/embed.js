// Sarangbang's loader. One line puts a room into a page:
//   <script src="https://chat.example/embed.js" data-site="blog" async></script>
// data-site: the key of the site (required). data-page: the key of the page, its path by default.
// data-theme: light, dark or auto. data-lang: ko or en. data-height: CSS length, 480px by default.
// data-title: the name of the frame for screen readers. data-closed: made by Sarangbang.open() only.
(() => {
  const script = document.currentScript;
  if (!script || window.Sarangbang) return;
  const { site, page = location.pathname, theme, lang, height = '480px', title = 'Sarangbang', closed } = script.dataset;
  if (!site) return console.error('Sarangbang: the script tag needs data-site, the key of your site');
  const base = new URL(script.src);
  const address = new URL(`/embed/${encodeURIComponent(site)}/${encodeURIComponent(page)}`, base);
  const set = (name, value) => value && address.searchParams.set(name, value);
  set('theme', theme);
  set('lang', lang);
  set('host', location.origin);

  const listeners = {};
  const emit = (name, detail) => (listeners[name] || []).forEach((listen) => listen(detail));
  const box = document.createElement('div');
  const show = (shown) => (box.style.display = shown ? '' : 'none');
  let wanted = closed === undefined;
  box.style.height = height;

  let frame;
  let patience;
  const open = () => {
    wanted = true;
    show(true);
    if (frame) return;
    frame = document.createElement('iframe');
    frame.title = title;
    frame.allow = 'clipboard-write; autoplay';
    frame.style.cssText = 'display:block;width:100%;height:100%;border:0;color-scheme:auto';
    frame.src = address;
    box.append(frame);
    // A service that is down leaves no hole in the page. Should it answer late, the room appears.
    patience = setTimeout(() => {
      show(false);
      emit('down');
    }, 15000);
  };
  const tell = (name, value, key) => frame && frame.contentWindow.postMessage({ sarangbang: name, value, key }, base.origin);
  // Where the browser blocks the frame's storage, this page keeps what a guest has: a name, drafts and
  // unsent messages. An account's login is never given to it.
  const mine = `sarangbang ${base.host} `;
  const areas = () => [localStorage, sessionStorage];
  const tried = (action) => {
    try {
      return action();
    } catch {
      // This page may not store either: then the frame's memory is all there is.
    }
  };
  const areaOf = (key) => areas()[Number(key.startsWith('tab.'))];
  const keeper = {
    keep: (key, value) => tried(() => areaOf(key).setItem(mine + key, value)),
    drop: (key) => tried(() => areaOf(key).removeItem(mine + key)),
    load() {
      tried(() => areas().forEach((area) => Object.keys(area).forEach((key) => renewed({ key, newValue: area[key] }))));
      tell('loaded');
    },
  };
  // Also when another tab of this site renewed it.
  const renewed = ({ key, newValue }) => key && key.startsWith(mine) && tell('kept', newValue, key.slice(mine.length));
  addEventListener('storage', renewed);
  const hear = ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== base.origin || !data || !data.sarangbang) return;
    if (data.sarangbang === 'ready') {
      clearTimeout(patience);
      show(wanted);
    }
    if (keeper[data.sarangbang]) return keeper[data.sarangbang](data.key, data.value);
    emit(data.sarangbang, data.value);
  };
  addEventListener('message', hear);

  const near = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        near.disconnect();
        open();
      }
    },
    { rootMargin: '300px' },
  );

  // A tag in the head marks no place: the room comes at the end of the page, once there is one.
  const place = () => {
    if (!script.closest('head')) script.after(box);
    else if (document.readyState !== 'loading') document.body.append(box);
    else return addEventListener('DOMContentLoaded', place, { once: true });
    if (wanted) near.observe(box);
  };
  show(wanted);
  place();

  window.Sarangbang = {
    open,
    close() {
      near.disconnect();
      show((wanted = false));
    },
    theme: (value) => tell('theme', value),
    on: (name, listen) => (listeners[name] ||= []).push(listen),
    destroy() {
      near.disconnect();
      clearTimeout(patience);
      removeEventListener('message', hear);
      removeEventListener('DOMContentLoaded', place);
      removeEventListener('storage', renewed);
      box.remove();
      delete window.Sarangbang;
    },
  };
})();
