// What a page looks like: its theme, language and title, before it is alive and after, and what the
// browser lets it do.

import assert from 'node:assert/strict';

import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('look');

scenario('the stored theme is there before the first paint', async (world) => {
  const mina = await world.person('mina', { colorScheme: 'light' });
  await mina.open('/');
  await mina.page.evaluate(() => localStorage.setItem('sarangbang.theme', 'dark'));
  await mina.page.route(/\.wasm$/, () => {});
  await mina.page.goto(mina.servers.web, { waitUntil: 'commit' });
  await mina.page.locator('main').waitFor();
  assert.equal(await mina.page.locator('html').getAttribute('data-theme'), 'dark');
  const background = await mina.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const [red] = background.match(/\d+/g).map(Number);
  assert.ok(red < 64, `the page is painted ${background}`);
});

scenario('text becomes markup by the policy of the page alone, and never a script', async (world) => {
  world.provokes(PROVOKED.forbiddenMarkup);
  const mina = await world.person('mina');
  await mina.open('/');
  const outcome = await mina.page.evaluate(() => {
    const attempt = (act) => {
      try {
        act();
        return 'done';
      } catch (error) {
        return error.name;
      }
    };
    const box = document.createElement('div');
    return {
      script: attempt(() => { document.createElement('script').src = '/evil.js'; }),
      policy: attempt(() => trustedTypes.createPolicy('mine', { createHTML: (text) => text })),
    };
  });
  assert.deepEqual(outcome, { script: 'TypeError', policy: 'TypeError' });
});

/** Markup that runs a script, in the ways in which it can be written. */
const HOSTILE = [
  '<script>1</script>', '<SCRIPT src=x>', '<svg><script>1</script></svg>',
  '<img src=x onerror=alert(1)>', '<img src=x\nonerror=alert(1)>', '<img src=x\tonerror =alert(1)>', '<img src=x\fonerror=alert(1)>',
  '<svg/onload=alert(1)>', '<svg//onload=alert(1)>', '<img src="x"onerror=alert(1)>', "<img src='x'onerror=alert(1)>",
  '<p OnClick=alert(1)>', '<p a=/onclick=alert(1)>',
  '<iframe srcdoc=x>', '<object data=x>', '<embed src=x>', '<base href=//evil.test>',
  '<meta http-equiv=refresh content=0>', '<link rel=stylesheet href=//evil.test>',
  '<a href=javascript:alert(1)>', '<a href=" JavaScript:alert(1)">', '<a href="java\nscript:alert(1)">', '<a href="javascript\t:alert(1)">',
  '<a href="&#106;avascript:alert(1)">', '<a href="javascript&colon;alert(1)">',
  '<svg><a><animate attributeName=href to=x>', '<svg><set attributeName=href to=x>', '<form action=x>',
];
/** Markup of the kind that the views bring with them. */
const HARMLESS = [
  '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><use href="#i-users"></use></svg>',
  '<path class="brand__line" d="M6 14.5C9.5 13.5 13 11 16 8c3 3 6.5 5.5 10 6.5M9 14v9.5h14V14M16 14v9.5M9 18.75h14"></path>',
  '<div class="skeleton"><span class="skeleton__line"></span></div>',
  '<li class="timeline__loading" role="button" data-on="once"></li>',
];

scenario('no way of writing markup that runs a script passes the policy of the page, and its own does', async (world) => {
  world.provokes(PROVOKED.forbiddenMarkup);
  const mina = await world.person('mina');
  await mina.open('/');
  const taken = (texts) => mina.page.evaluate((texts) => texts.filter((text) => {
    try {
      document.createElement('template').innerHTML = text;
      return true;
    } catch {
      return false;
    }
  }), texts);
  assert.deepEqual(await taken(HOSTILE), []);
  assert.deepEqual(await taken(HARMLESS), HARMLESS);
});

scenario('the tab is named after the room and says how much is new', async (world) => {
  const room = await world.room('Supper');
  const mina = await world.guest('mina', room);
  await until(async () => /^Supper.* · Sarangbang$/.test(await mina.page.title()), async () => `the title names the room; it is ${await mina.page.title()}`);
  const other = await mina.context.newPage();
  await other.goto('about:blank');
  await other.bringToFront();
  const jun = await world.apiGuest('jun');
  await jun.send(room, 'are you there?');
  await mina.sees('are you there?');
  await mina.open('/');
  assert.equal(await mina.page.title(), 'Sarangbang');
});

scenario('the face beside the offered name is the one that others will see', async (world) => {
  const room = await world.room();
  const jun = await world.guest('jun', room);
  const mina = await world.person('mina');
  await mina.openRoom(room);
  await mina.at('join').waitFor();
  await until(async () => (await mina.at('join-name').inputValue()) !== '', 'a name is offered');
  const drawn = (view, selector) => view.locator(selector).first().evaluate((face) => `${[...face.classList].filter((name) => name.includes('tone'))} ${face.querySelector('path').getAttribute('d')} ${face.textContent}`);
  const offered = await drawn(mina.view, '.join-bar .avatar');
  await mina.at('join').click();
  await mina.canWrite();
  await mina.say('hello');
  await jun.sees('hello');
  assert.equal(await drawn(jun.view, '.message .avatar'), offered);
});

const background = (person) => person.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
const language = (person) => person.page.locator('html').getAttribute('lang');

scenario('the language is the browser\'s, until somebody chooses another, on every page from then on', async (world) => {
  const mina = await world.person('mina', { locale: 'ko-KR' });
  await mina.open('/');
  assert.equal(await language(mina), 'ko');
  await mina.view.getByText('게스트로 시작하기').waitFor();
  await mina.at('lang').first().selectOption('en');
  await mina.view.getByText('Join as a guest').waitFor();
  assert.equal(await mina.view.getByText('게스트로 시작하기').count(), 0);
  await mina.reload();
  await mina.view.getByText('Join as a guest').waitFor();
  await mina.open('/sign-in');
  await mina.view.getByText('Good to see you again.').waitFor();
  assert.equal(await language(mina), 'en');
});

scenario('the theme is the device\'s, until somebody chooses another, on every page from then on', async (world) => {
  const mina = await world.person('mina', { colorScheme: 'light' });
  await mina.open('/settings');
  const light = await background(mina);
  await mina.page.emulateMedia({ colorScheme: 'dark' });
  await until(async () => (await background(mina)) !== light, 'the page is dark as the device');
  const dark = await background(mina);
  await mina.page.emulateMedia({ colorScheme: 'light' });
  await until(async () => (await background(mina)) === light, 'the page is light as the device');

  await mina.at('theme').selectOption('dark');
  await until(async () => (await background(mina)) === dark, 'the page is dark as chosen');
  await mina.reload();
  assert.equal(await background(mina), dark, 'the choice is forgotten');
  await mina.open('/');
  assert.equal(await background(mina), dark, 'the choice is of one page');
  await mina.open('/settings');
  await mina.at('theme').selectOption('auto');
  await until(async () => (await background(mina)) === light, 'the page is as the device again');
});

scenario('an address that names nothing is answered with 404, in words, with a way back', async (world) => {
  world.provokes(PROVOKED.notFound);
  const mina = await world.person('mina');
  for (const path of ['/nowhere', '/r/not-a-room', '/embed/blog']) {
    const answer = await fetch(`http://127.0.0.1:${world.servers.ports.web}${path}`);
    assert.equal(answer.status, 404, path);
  }
  await mina.open('/nowhere');
  await mina.view.getByText('This page does not exist').waitFor();
  await mina.view.getByRole('link', { name: 'Back to the lobby' }).click();
  await mina.page.waitForURL(`${world.servers.web}/`);
  await mina.at('join').waitFor();
});

scenario('who has rooms finds them beside an address that names nothing', async (world) => {
  world.provokes(PROVOKED.notFound);
  const room = await world.room('Still mine');
  const mina = await world.guest('mina', room);
  await mina.say('here');
  await mina.sees('here');
  await mina.open('/r/not-a-room');
  await mina.view.getByText('This page does not exist').waitFor();
  await mina.view.locator(`.sidebar [data-room-id="${room}"]`).click();
  await mina.sees('here');
});

scenario('the stored language is there before the page is alive, and the address stays as it is', async (world) => {
  const mina = await world.person('mina', { locale: 'en-US' });
  await mina.open('/');
  await mina.at('lang').first().selectOption('ko');
  await mina.view.getByText('게스트로 시작하기').waitFor();
  const address = `${world.servers.web}/sign-in?room=00000000-0000-4000-8000-000000000000#there`;
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  await mina.page.route(/\.wasm$/, async (route) => {
    await released;
    await route.continue();
  });
  await mina.page.goto(address, { waitUntil: 'commit' });
  await mina.view.getByText('다시 만나서 반가워요.').waitFor();
  assert.equal(await language(mina), 'ko');
  release();
  await mina.isInteractive();
  assert.equal(mina.page.url(), address);
  await mina.view.getByText('다시 만나서 반가워요.').waitFor();
});
