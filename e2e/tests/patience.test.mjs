// What does not wait: a person who asks to reconnect, and whoever depends on an answer that never comes.

import assert from 'node:assert/strict';

import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('patience');
/** As `REQUEST_MS` of the client. */
const REQUEST_MS = 15_000;

scenario('a click on "retry now" connects at once', async (world) => {
  const room = await world.room();
  const mina = await world.person('mina');
  await mina.page.clock.install();
  await mina.openAndJoin(room);
  // From here on time passes only when the test says so.
  await mina.page.clock.pauseAt(Date.now() + 60_000);
  world.provokes(PROVOKED.lostNetwork);
  world.servers.network.cut();
  // Until a pause between two attempts is longer than a person is made to wait.
  await until(async () => {
    const before = mina.sockets.length;
    // An attempt that has not failed yet is nothing to wait for.
    const hasFailed = mina.sockets.every(({ closed }) => closed);
    await mina.page.clock.runFor(1_500);
    // What the page did is told after it did it.
    await mina.page.evaluate(() => document.title);
    return hasFailed && mina.sockets.length === before && (await mina.at('retry-now').isVisible());
  }, 'mina waits for the next attempt');
  world.servers.network.mend();
  const attempts = mina.sockets.length;
  await mina.at('retry-now').click();
  await until(() => mina.sockets.length > attempts, 'another attempt is made');
  await until(() => mina.sockets.at(-1).received.some((document) => document.t === 'welcome'), 'mina is connected');
});

scenario('a refresh that hangs blocks neither the reconnect nor the sign-out', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('before');
  await mina.sees('before');
  let hung = 0;
  let hangs = true;
  await mina.page.route('**/v1/sessions/refresh', (route) => {
    if (!hangs) return route.continue();
    hung += 1;
    return undefined;
  });
  await mina.page.clock.install();
  await mina.page.reload();
  await until(() => hung > 0, 'the token is asked for');
  hangs = false;
  await mina.page.clock.runFor(REQUEST_MS + 5_000);
  await mina.say('after');
  await mina.sees('after');

  hangs = true;
  await mina.page.goto(`${world.servers.web}/settings`);
  await until(() => hung > 1, 'the token is asked for again');
  await mina.at('sign-out').click();
  await mina.at('confirm').filter({ visible: true }).first().click();
  await until(() => new URL(mina.page.url()).pathname === '/', 'mina is out');
  assert.equal(await mina.page.evaluate(() => localStorage.getItem('sarangbang.session')), null);
});

scenario('a day is called today until midnight and yesterday from then on', async (world) => {
  const room = await world.room();
  const mina = await world.person('mina');
  await mina.page.clock.install();
  await mina.openAndJoin(room);
  await mina.say('good night');
  await mina.sees('good night');
  const day = mina.view.locator('.divider').first();
  assert.equal((await day.innerText()).trim(), 'Today');
  const toMidnight = await mina.page.evaluate(() => {
    const now = new Date();
    return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1) - now;
  });
  await mina.page.clock.fastForward(toMidnight + 1_000);
  await until(async () => (await day.innerText()).trim() === 'Yesterday', 'the day is over');
});
