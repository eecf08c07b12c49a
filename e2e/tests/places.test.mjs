// Going from place to place: to a message far back and to the newest again, and from room to room.

import assert from 'node:assert/strict';

import { uuid7 } from '../support/api.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('places');
const MESSAGES = 240;

async function longRoom(world) {
  const host = await world.apiGuest('historian');
  const room = await host.createRoom('A long story');
  const first = await host.send(room, 'the beginning');
  for (let n = 2; n < MESSAGES; n += 1) await host.send(room, `line ${n}`);
  await host.post(`/v1/rooms/${room}/messages`, { client_id: uuid7(), body: 'an answer', reply_to: first.id });
  return { host, room };
}

const isInView = (person, body) => person.row(body).evaluate((row) => {
  const box = row.getBoundingClientRect();
  const log = document.querySelector('[role=log]').getBoundingClientRect();
  return box.bottom <= Math.min(log.bottom, innerHeight) + 1 && box.top >= log.top - 1;
}).catch(() => false);

/** The numbers that are shown have no hole; what follows them has a way on, unless it is the end. */
async function isWhole(person, newest) {
  // At one look: the page may go on loading.
  const { numbers, goesOn } = await person.page.evaluate(() => ({
    numbers: [...document.querySelectorAll('[role=log] [data-number]')].map((row) => Number(row.dataset.number)),
    goesOn: document.querySelectorAll('[data-testid=show-newer]').length,
  }));
  numbers.forEach((number, at) => assert.equal(number, numbers[0] + at, `a hole in ${numbers}`));
  assert.equal(goesOn, numbers.at(-1) === newest ? 0 : 1, `after ${numbers.at(-1)} of ${newest}`);
}

scenario('a quote leads to a message that is not loaded, and the pill back to what is new', async (world) => {
  const { host, room } = await longRoom(world);
  const mina = await world.guest('mina', room);
  await mina.sees('an answer');
  await mina.row('an answer').locator('.quote').click();
  await until(() => isInView(mina, 'the beginning'), async () => `the original is in view; there is ${JSON.stringify((await mina.rows())[0])}`);
  await isWhole(mina, MESSAGES);

  await host.send(room, 'news');
  await until(() => mina.sockets.some(({ received }) => received.some(({ t, seq }) => t === 'ev' && seq > MESSAGES)), 'mina has heard of the news');
  await isWhole(mina, MESSAGES + 1);
  assert.ok(await isInView(mina, 'the beginning'), 'the place is lost');

  await mina.at('new-messages').click();
  await until(() => isInView(mina, 'news'), 'the newest is in view');
  await isWhole(mina, MESSAGES + 1);
  await host.send(room, 'more news');
  await until(() => isInView(mina, 'more news'), 'the end is followed again');
  await mina.seesEachMessageOnce();
  await isWhole(mina, MESSAGES + 2);
});

scenario('from a message far back one can read on to the end', async (world) => {
  const { room } = await longRoom(world);
  const mina = await world.guest('mina', room);
  await mina.sees('an answer');
  await mina.row('an answer').locator('.quote').click();
  await until(() => isInView(mina, 'the beginning'), 'the original is in view');
  await until(async () => {
    await mina.log().evaluate((log) => { log.scrollTop = log.scrollHeight; });
    await isWhole(mina, MESSAGES);
    return (await mina.bodies()).at(-1) === 'an answer';
  }, async () => `mina reaches the end; there is ${JSON.stringify((await mina.rows()).at(-1))}`);
});

scenario('a room that was left before its first page came does not freeze the next one', async (world) => {
  const slow = await world.room('Slow');
  const next = await world.room('Next');
  const mina = await world.guest('mina', next);
  await mina.say('I am in');
  await mina.sees('I am in');
  const jun = await world.guest('jun', next);

  let release;
  const released = new Promise((resolve) => { release = resolve; });
  let asked = false;
  await mina.page.route(`**/v1/rooms/${slow}/messages**`, async (route) => {
    asked = true;
    await released;
    await route.continue();
  });
  await mina.page.goto(`${world.servers.web}/r/${slow}`);
  await until(() => asked, 'the first page is asked for');
  await mina.at('room-link').filter({ hasText: 'Next' }).first().click();
  await mina.sees('I am in');
  const answered = mina.page.waitForResponse((answer) => answer.url().includes(`/rooms/${slow}/messages`));
  release();
  await (await answered).finished();
  await jun.say('are you there?');
  await mina.sees('are you there?');
});

scenario('one row at a time shows what can be done with it: that of the pointer, or of the keyboard', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  for (const text of ['one', 'two', 'three']) {
    await mina.say(text);
    await mina.sees(text);
  }
  const shown = () => mina.page.evaluate(() => [...document.querySelectorAll('.message__actions')]
    .filter((actions) => actions.checkVisibility({ visibilityProperty: true }))
    .map((actions) => actions.closest('.message').querySelector('[data-testid=body]').innerText.trim()));
  const shows = (text) => until(async () => (await shown()).join() === text, async () => `only ${text} shows its actions; ${await shown()} do`);
  await mina.row('one').locator('.message__bubble').click();
  await mina.row('three').hover();
  await shows('three');
  await mina.at('composer').focus();
  await mina.page.keyboard.press('Shift+Tab');
  await mina.page.keyboard.press('Home');
  await shows('one');
  await mina.page.keyboard.press('Escape');
  await shows('three');
  await mina.page.keyboard.press('Shift+Tab');
  await mina.row('two').hover();
  await shows('two');
  await mina.row('three').hover();
  await mina.row('three').locator('[data-testid=message-actions]').click();
  await mina.at('action-edit').waitFor();
  await mina.row('one').hover();
  await shows('three');
  assert.ok(await mina.at('action-edit').isVisible(), 'the menu is gone');
});
