// A page on a third origin embeds a room. Chromium blocks third-party storage here, as for many people.

import assert from 'node:assert/strict';

import { PROVOKED } from '../support/complaints.mjs';
import { freePorts } from '../support/servers.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('embed');

const loader = (world, attributes = '') =>
  `<p>An article.</p><script async src="${world.servers.web}/embed.js" data-site="blog" ${attributes}></script>`;

/** Somebody who opens a page of the blog and looks into the frame in it. */
const visit = async (world, name, path) => (await world.person(name)).visit(path);

scenario('one line of HTML gives a page a room in which two people talk', async (world) => {
  world.blog.publish('/article', loader(world));
  const mina = await visit(world, 'mina', '/article');
  const jun = await visit(world, 'jun', '/article');
  await mina.join();
  await mina.canWrite();
  await jun.join();
  await jun.canWrite();
  await mina.say('nice article');
  await jun.sees('nice article');
  await jun.say('indeed');
  await mina.shows(['nice article', 'indeed']);
});

scenario('a bare iframe does it too', async (world) => {
  world.blog.publish('/bare', `<iframe src="${world.servers.web}/embed/blog/%2Fbare" title="Chat" width="100%" height="480"></iframe>`);
  const mina = await visit(world, 'mina', '/bare');
  await mina.join();
  await mina.canWrite();
  await mina.say('no script of the host page');
  await mina.sees('no script of the host page');
});

scenario('a visitor reads an embedded room without joining', async (world) => {
  world.blog.publish('/reading', loader(world));
  const mina = await visit(world, 'mina', '/reading');
  await mina.join();
  await mina.canWrite();
  await mina.say('for everybody');
  await mina.sees('for everybody');
  const visitor = await visit(world, 'visitor', '/reading');
  await visitor.sees('for everybody');
});

scenario('a guest survives a reload in a frame whose storage is blocked', async (world) => {
  world.blog.publish('/blocked', loader(world));
  const mina = await (await world.personWithBlockedStorage('mina')).visit('/blocked');
  const storage = await mina.page.frames().at(-1).evaluate(() => {
    try {
      return typeof localStorage;
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(storage, 'SecurityError', 'this browser does not block third-party storage, so this proves nothing');
  await mina.join();
  await mina.canWrite();
  await mina.say('before the reload');
  await mina.sees('before the reload');
  await mina.page.reload();
  await mina.lookIntoFrame();
  await mina.canWrite();
  await mina.say('after the reload');
  await mina.shows(['before the reload', 'after the reload']);
  const page = await openPage(world, '/blocked');
  const authors = (await page.reader.history(page.room)).map((message) => message.author.id);
  assert.equal(authors[0], authors[1], 'the reload made another guest');
});

scenario('only a page whose origin the site lists can frame its rooms, and no page frames the app', async (world) => {
  world.provokes(PROVOKED.foreignFrame);
  const frame = (path) => `<iframe src="${world.servers.web}${path}" title="Chat" width="100%" height="480"></iframe>`;
  world.blog.publish('/framed', frame('/embed/blog/%2Fframed'));
  world.blog.publish('/clickjacked', frame('/'));
  const stranger = world.servers.blog.replace('blog.test', 'stranger.test');

  const reader = await visit(world, 'reader', '/framed');
  await reader.at('join').waitFor();
  for (const page of [`${stranger}/framed`, `${world.servers.blog}/clickjacked`]) {
    const victim = await world.person('victim');
    await victim.page.goto(page);
    const refused = () => victim.complaints.some((text) => PROVOKED.foreignFrame.test(text));
    await until(refused, () => `the browser refuses the frame of ${page}; it says ${victim.complaints}`);
    const inside = victim.page.locator('iframe').contentFrame();
    await until(async () => (await inside.locator('html').count()) > 0, 'the frame is loaded');
    assert.equal(await inside.locator('[data-testid], [role=log]').count(), 0, `${page} shows the chat`);
  }
});

scenario('the embed neither takes the focus nor scrolls the page, when it opens and when somebody talks', async (world) => {
  const page = '/quiet';
  world.blog.publish(page, `<div style="height:900px">An article.</div><input id="own">${loader(world)}<div style="height:3000px"></div>`);
  const mina = await world.person('mina');
  await mina.page.goto(world.servers.blog + page);
  await mina.page.locator('#own').focus();
  await mina.page.evaluate(() => scrollTo(0, 600));
  const stands = () => mina.page.evaluate(() => ({ focus: document.activeElement.id, scroll: scrollY }));
  mina.view = mina.page.locator('iframe').contentFrame();
  await mina.isInteractive();
  await mina.followsRoom();
  assert.deepEqual(await stands(), { focus: 'own', scroll: 600 }, 'opening moved the page');

  const { reader, room } = await openPage(world, page);
  for (let n = 1; n <= 30; n += 1) await reader.send(room, `line ${n}`);
  await mina.sees('line 30');
  assert.deepEqual(await stands(), { focus: 'own', scroll: 600 }, 'a message moved the page');
});

scenario('a room far below is loaded when the reader comes near', async (world) => {
  world.blog.publish('/long', `<div style="height:5000px"></div>${loader(world)}`);
  const mina = await world.person('mina');
  await mina.page.goto(`${world.servers.blog}/long`);
  await mina.page.waitForFunction(() => window.Sarangbang);
  // An observer of our own, made later, is told later: theirs has had its say by then.
  await mina.page.evaluate(() => new Promise((resolve) => { new IntersectionObserver(resolve).observe(document.body); }));
  assert.equal(await mina.page.locator('iframe').count(), 0, 'it is loaded far away');
  await mina.page.evaluate(() => scrollTo(0, 4_500));
  mina.view = mina.page.locator('iframe').contentFrame();
  await mina.isInteractive();
});

scenario('a chat that is down leaves nothing of itself on the page', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const [nobody] = await freePorts(1);
  world.blog.publish('/no-loader', `<p>An article.</p><script async src="http://chat.test:${nobody}/embed.js" data-site="blog"></script>`);
  const early = await world.person('early');
  await early.page.goto(`${world.servers.blog}/no-loader`);
  assert.equal(await early.page.locator('iframe').count(), 0);

  // The loader comes, from a cache perhaps, and the chat does not answer.
  world.blog.publish('/no-chat', `${loader(world)}<p id="after">What follows.</p>`);
  const mina = await world.person('mina');
  await mina.page.clock.install();
  world.servers.network.cut();
  try {
    await mina.page.goto(`${world.servers.blog}/no-chat`);
    await mina.page.locator('iframe').waitFor({ state: 'attached' });
    await mina.page.evaluate(() => window.Sarangbang.on('down', () => { window.toldDown = true; }));
    const below = async () => (await mina.page.locator('#after').boundingBox()).y;
    const before = await below();
    await mina.page.clock.fastForward('01:00');
    await mina.page.locator('iframe').waitFor({ state: 'hidden' });
    assert.ok(await mina.page.evaluate(() => window.toldDown), 'the page is not told');
    assert.ok(before - (await below()) >= 480, 'there is a hole in the page');
  } finally {
    world.servers.network.mend();
  }
});

scenario('the loader weighs at most 2 KB', async (world) => {
  const answer = await fetch(`http://127.0.0.1:${world.servers.ports.web}/embed.js`, { headers: { 'accept-encoding': 'br' } });
  const compressed = Number(answer.headers.get('content-length'));
  assert.equal(answer.headers.get('content-encoding'), 'br');
  assert.ok(compressed > 0 && compressed <= 2_048, `${compressed} bytes`);
});

/** The first `times` askers for the room of a page are told of one that is not there. */
async function tellOfNoRoom(world, person, page, times) {
  const host = await world.apiGuest('host');
  const summary = await host.post('/v1/pages', { site: 'blog', page });
  const gone = { ...summary, room: { ...summary.room, id: '00000000-0000-4000-8000-000000000000' } };
  const asked = { times: 0, room: summary.room.id, host };
  await person.page.route('**/v1/pages', (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    asked.times += 1;
    if (asked.times > times) return route.continue();
    return route.fulfill({ headers: { 'access-control-allow-origin': '*' }, json: gone });
  });
  return asked;
}

scenario('an embed whose room is gone finds the room of its page again', async (world) => {
  world.blog.publish('/purged', loader(world));
  const mina = await world.person('mina');
  const asked = await tellOfNoRoom(world, mina, '/purged', 1);
  await asked.host.send(asked.room, 'in the room that there is');
  await mina.page.goto(`${world.servers.blog}/purged`);
  await mina.lookIntoFrame();
  await mina.sees('in the room that there is');
  assert.equal(asked.times, 2);
});

scenario('an embed whose room stays gone says so, and does not ask for ever', async (world) => {
  world.blog.publish('/gone', loader(world));
  const mina = await world.person('mina');
  const asked = await tellOfNoRoom(world, mina, '/gone', Infinity);
  await mina.page.goto(`${world.servers.blog}/gone`);
  await mina.lookIntoFrame();
  await until(() => asked.times === 2, 'it asks once more');
  await mina.view.getByText('Could not open the room').waitFor();
  assert.equal(asked.times, 2);
});

async function openPage(world, page) {
  const reader = await world.apiGuest('reader');
  const summary = await reader.post('/v1/pages', { site: 'blog', page });
  return { reader, room: summary.room.id };
}
