// What the browser does not store: a third-party frame that may not, in two tabs, and a storage that is
// full.

import assert from 'node:assert/strict';

import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('storage');

const loader = (world) => `<script async src="${world.servers.web}/embed.js" data-site="blog"></script>`;

scenario('a tab whose frame may not store renews the newest login of its tabs, not its own old one', async (world) => {
  world.blog.publish('/tabs', loader(world));
  const writer = await world.apiGuest('writer');
  const { room } = await writer.post('/v1/pages', { site: 'blog', page: '/tabs' });
  for (let n = 1; n <= 60; n += 1) await writer.send(room.id, `line ${n}`);

  const mina = await world.personWithBlockedStorage('mina');
  const issued = [];
  const presented = [];
  mina.context.on('response', async (answer) => {
    const path = new URL(answer.url()).pathname;
    if (!['/v1/guests', '/v1/sessions/refresh'].includes(path) || answer.request().method() !== 'POST') return;
    if (path.endsWith('refresh')) presented.push(answer.request().postDataJSON().refresh_token);
    issued.push((await answer.json()).tokens.refresh_token);
  });
  await mina.visit('/tabs');
  await mina.join();
  await mina.canWrite();
  const first = { page: mina.page, view: mina.view };

  mina.watch(await mina.context.newPage());
  await mina.visit('/tabs');
  await mina.canWrite();
  await mina.visit('/tabs');
  await mina.canWrite();
  await until(() => issued.length === 3, () => `the second tab has renewed the login of the first twice; ${issued.length} were issued`);

  // The first tab, which was not loaded anew, learns that its access token has ended.
  Object.assign(mina, first);
  world.provokes(PROVOKED.refusedRequest);
  let told = false;
  await mina.page.route('**/messages?**', (route) => {
    if (told || route.request().method() !== 'GET') return route.continue();
    told = true;
    const problem = { type: 'urn:sarangbang:problem:token_expired', title: 'Ended', status: 401, code: 'token_expired', retry: true };
    return route.fulfill({ status: 401, headers: { 'access-control-allow-origin': '*' }, contentType: 'application/problem+json', body: JSON.stringify(problem) });
  });
  await mina.log().evaluate((log) => { log.scrollTop = 0; });
  await until(() => issued.length === 4, 'the first tab renews the login');
  assert.deepEqual(presented, issued.slice(0, 3), 'a tab presented a login that another one had renewed');
  await mina.say('still me');
  await mina.sees('still me');
});

scenario('a full storage never gives back what is older', async (world) => {
  const [here, there] = [await world.room('Here'), await world.room('There')];
  const mina = await world.guest('mina', there);
  await mina.say('I am in');
  await mina.sees('I am in');
  await mina.openRoom(here);
  await mina.canWrite();
  await mina.say('here too');
  await mina.sees('here too');
  await mina.at('composer').fill('short');
  await mina.page.evaluate(() => {
    for (let size = 1 << 22; size > 0; size >>= 1) {
      try {
        while (true) localStorage.setItem(`filler ${localStorage.length}`, 'x'.repeat(size));
      } catch {
        // This much does not fit any more.
      }
    }
  });
  const long = 'what does not fit '.repeat(20).trim();
  await mina.at('composer').fill(long);
  await mina.at('room-link').filter({ hasText: 'There' }).first().click();
  await mina.sees('I am in');
  await mina.at('room-link').filter({ hasText: 'Here' }).first().click();
  await mina.sees('here too');
  await until(async () => (await mina.at('composer').inputValue()) === long, async () => `the draft is the newest; it is ${await mina.at('composer').inputValue()}`);
});
