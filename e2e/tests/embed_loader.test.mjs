// embed.js in pages that use it in unusual ways.

import assert from 'node:assert/strict';

import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('embed_loader');

const isShown = (person) => person.page.locator('iframe').isVisible();

scenario('a room that the page closed stays closed when it is ready, and opens again', async (world) => {
  world.blog.publish('/closing', `<script src="${world.servers.web}/embed.js" data-site="blog" data-closed></script>
    <script>Sarangbang.on('ready', () => { globalThis.isReady = true; }); Sarangbang.open(); Sarangbang.close();</script>`);
  const mina = await world.person('mina');
  await mina.page.goto(`${world.servers.blog}/closing`);
  await until(() => mina.page.evaluate(() => globalThis.isReady), 'the room is ready');
  assert.equal(await isShown(mina), false, 'being ready opened it');
  await mina.page.evaluate(() => Sarangbang.open());
  assert.equal(await isShown(mina), true);
});

scenario('a tag in the head puts the room at the end of the page', async (world) => {
  const tag = `<script src="${world.servers.web}/embed.js" data-site="blog"></script>`;
  world.blog.publish('/head', '<p>An article.</p><p id="last">The end.</p>', tag);
  const mina = await world.person('mina');
  await mina.page.goto(`${world.servers.blog}/head`);
  await mina.page.locator('body > #last + div > iframe').waitFor({ state: 'visible' });
  mina.view = mina.page.locator('iframe').contentFrame();
  await mina.isInteractive();
});

scenario('a tag without a site says so once and leaves the page alone', async (world) => {
  world.provokes(PROVOKED.namelessSite);
  world.blog.publish('/nameless', `<p>An article.</p><script src="${world.servers.web}/embed.js"></script>`);
  const mina = await world.person('mina');
  const errors = [];
  mina.page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
  await mina.page.goto(`${world.servers.blog}/nameless`);
  assert.equal(errors.length, 1, errors.join('\n'));
  assert.match(errors[0], /data-site/);
  assert.equal(await mina.page.locator('body > div').count(), 0);
  assert.equal(await mina.page.evaluate(() => typeof globalThis.Sarangbang), 'undefined');
});

scenario('who joins an embedded room alone counts as one, and so does a visitor', async (world) => {
  world.blog.publish('/alone', `<script src="${world.servers.web}/embed.js" data-site="blog"></script>`);
  const mina = await world.person('mina');
  await mina.page.goto(`${world.servers.blog}/alone`);
  mina.view = mina.page.locator('iframe').contentFrame();
  await mina.isInteractive();
  const says = (count) => until(async () => (await mina.at('who').innerText()).trim().startsWith(count), async () => `the head says ${count}; it says ${await mina.at('who').innerText()}`);
  await says('1');
  await mina.join();
  await mina.canWrite();
  await says('1');
});
