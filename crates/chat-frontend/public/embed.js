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
  // A tag in the head marks no place: the room comes at the end of the page, once there is one.
  const place = () => {
    if (!script.closest('head')) return script.after(box);
    if (document.readyState !== 'loading') return document.body.append(box);
    addEventListener('DOMContentLoaded', place, { once: true });
  };
  place();

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
  const tell = (name, value) => frame && frame.contentWindow.postMessage({ sarangbang: name, value }, base.origin);
  const hear = ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== base.origin || !data || !data.sarangbang) return;
    if (data.sarangbang === 'ready') {
      clearTimeout(patience);
      show(wanted);
    }
    // Where the browser blocks the frame's storage, this page keeps what the frame gives it.
    try {
      if (data.sarangbang === 'keep') return localStorage.setItem('sarangbang', data.value);
      if (data.sarangbang === 'load') return tell('kept', localStorage.getItem('sarangbang') || '{}');
    } catch {
      return;
    }
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
  if (wanted) near.observe(box);
  else show(false);

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
      box.remove();
      delete window.Sarangbang;
    },
  };
})();
