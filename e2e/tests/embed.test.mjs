// A page on a third origin embeds a room. Chromium blocks third-party storage here, as for many people.

import assert from 'node:assert/strict';

import { freePorts } from '../support/servers.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('embed');

const loader = (world, attributes = '') =>
  `<p>An article.</p><script async src="${world.servers.web}/embed.js" data-site="blog" ${attributes}></script>`;

/** Opens a page of the blog and looks into the frame in it. */
async function visit(world, name, path) {
  return visitAs(world, await world.person(name), path);
}

async function visitAs(world, person, path) {
  await person.page.goto(world.servers.blog + path);
  await lookIntoFrame(person);
  return person;
}

async function lookIntoFrame(person) {
  const frame = person.page.locator('iframe').first();
  await frame.waitFor({ state: 'attached' });
  await frame.scrollIntoViewIfNeeded();
  person.view = frame.contentFrame();
  await person.isInteractive();
}

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
  const mina = await visitAs(world, await world.personWithBlockedStorage('mina'), '/blocked');
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
  await lookIntoFrame(mina);
  await mina.canWrite();
  await mina.say('after the reload');
  await mina.shows(['before the reload', 'after the reload']);
  const page = await openPage(world, '/blocked');
  const authors = (await page.reader.history(page.room)).map((message) => message.author.id);
  assert.equal(authors[0], authors[1], 'the reload made another guest');
});

scenario('a page whose origin the site does not list cannot frame its rooms', async (world) => {
  const mina = await world.person('mina');
  await mina.page.goto(`${world.servers.web}/`);
  const answer = await mina.page.request.get(`http://127.0.0.1:${world.servers.ports.web}/embed/blog/%2Fa`);
  assert.match(answer.headers()['content-security-policy'], new RegExp(`frame-ancestors ${world.servers.blog}(;|$)`));
  const app = await mina.page.request.get(`http://127.0.0.1:${world.servers.ports.web}/`);
  assert.match(app.headers()['content-security-policy'], /frame-ancestors 'none'/);
});

scenario('the embed neither takes the focus nor scrolls the page', async (world) => {
  world.blog.publish('/quiet', `<input id="own"><div style="height:3000px"></div>${loader(world)}`);
  const person = await world.person('mina');
  await person.page.goto(`${world.servers.blog}/quiet`);
  await person.page.locator('#own').focus();
  await person.page.locator('iframe').first().waitFor({ state: 'attached', timeout: 2_000 }).catch(() => {});
  assert.equal(await person.page.evaluate(() => document.activeElement.id), 'own');
  assert.equal(await person.page.evaluate(() => scrollY), 0);
});

scenario('a service that is down leaves nothing of itself on the page', async (world) => {
  const [nobody] = await freePorts(1);
  world.blog.publish('/down', `<p>An article.</p><script async src="http://chat.test:${nobody}/embed.js" data-site="blog"></script>`);
  const person = await world.person('mina');
  await person.page.goto(`${world.servers.blog}/down`);
  assert.equal(await person.page.locator('iframe').count(), 0);
  assert.equal(await person.page.locator('p').innerText(), 'An article.');
});

scenario('the loader weighs at most 2 KB', async (world) => {
  const answer = await fetch(`http://127.0.0.1:${world.servers.ports.web}/embed.js`, { headers: { 'accept-encoding': 'br' } });
  const compressed = Number(answer.headers.get('content-length'));
  assert.equal(answer.headers.get('content-encoding'), 'br');
  assert.ok(compressed > 0 && compressed <= 2_048, `${compressed} bytes`);
});

async function openPage(world, page) {
  const reader = await world.apiGuest('reader');
  const summary = await reader.post('/v1/pages', { site: 'blog', page });
  return { reader, room: summary.room.id };
}
