// Reading: scrolling back, keeping one's place, and what came while one was away.

import assert from 'node:assert/strict';

import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('reading');
const MESSAGES = 240;

async function roomWithHistory(world) {
  const host = await world.apiGuest('historian');
  const room = await host.createRoom('A long story');
  for (let n = 1; n <= MESSAGES; n += 1) await host.send(room, `line ${n}`);
  return { host, room };
}

/**
 * Where the row is painted in the viewport, in CSS pixels: the same in two frames. Between two frames rows that were
 * put in above may have moved it, before its place is restored and anybody sees it.
 */
const topOf = async (person, body) => {
  const inTwoFrames = () => person.row(body).evaluate((row) => new Promise((resolve) => {
    const top = () => row.getBoundingClientRect().top;
    requestAnimationFrame(() => {
      const first = top();
      requestAnimationFrame(() => resolve([first, top()]));
    });
  }));
  let tops;
  await until(async () => {
    tops = await inTwoFrames();
    return tops[0] === tops[1];
  }, () => `${body} stands still; it is at ${tops}`);
  return tops[0];
};

const scrollTo = (person, where) => person.page.evaluate((where) => {
  const row = document.querySelector('[role=log] [data-testid=message]');
  let box = row.parentElement;
  while (!(box.scrollHeight > box.clientHeight && /auto|scroll/.test(getComputedStyle(box).overflowY))) box = box.parentElement;
  box.scrollTop = where === 'top' ? 0 : where === 'end' ? box.scrollHeight : box.scrollTop + where;
}, where);

/** Goes to the oldest row that is there and says where in the viewport it stands. */
const scrollAndMeasure = (person) => person.page.evaluate(() => {
  const row = document.querySelector('[role=log] [data-testid=message]');
  row.scrollIntoView({ block: 'start' });
  return row.getBoundingClientRect().top;
});

/** The text of the first row that is wholly in view. */
const firstInView = (person) => person.page.evaluate(() => {
  const top = document.querySelector('[role=log]').getBoundingClientRect().top;
  const rows = [...document.querySelectorAll('[role=log] [data-testid=message]')];
  return rows.find((row) => row.getBoundingClientRect().top >= top)?.querySelector('[data-testid=body]').innerText.trim();
});

scenario('scrolling back reaches the first message and never shows more rows than a page can bear', async (world) => {
  const { room } = await roomWithHistory(world);
  const mina = await world.guest('mina', room);
  await mina.sees(`line ${MESSAGES}`);
  await until(async () => {
    await scrollTo(mina, 'top');
    const rows = await mina.rows();
    assert.ok(rows.length <= 200, `${rows.length} rows are in the page`);
    await mina.seesEachMessageOnce();
    return rows[0]?.body === 'line 1';
  }, async () => `mina reaches the first line; the first is ${JSON.stringify((await mina.rows())[0])}`);
});

scenario('a reader who scrolled up keeps their place while messages arrive', async (world) => {
  const { host, room } = await roomWithHistory(world);
  const mina = await world.guest('mina', room);
  await mina.sees(`line ${MESSAGES}`);
  await scrollTo(mina, -900);
  const reading = await until(() => firstInView(mina), 'a row is in view');
  const before = await topOf(mina, exactly(reading));
  for (let n = 1; n <= 5; n += 1) await host.send(room, `news ${n}`);
  await until(async () => /5/.test(await mina.at('new-messages').innerText()), 'the pill counts five');
  const title = () => mina.page.title();
  await until(async () => (await title()).startsWith('(5) A long story'), async () => `the tab counts five; it is ${await title()}`);
  const after = await topOf(mina, exactly(reading));
  assert.ok(Math.abs(after - before) <= 1, `the place moved by ${after - before} px`);
  await mina.at('new-messages').click();
  await until(async () => mina.isInView('news 5'), 'the pill leads to the newest');
  await until(async () => (await title()).startsWith('A long story'), async () => `the tab counts nothing any more; it is ${await title()}`);
});

scenario('older messages are put in above without moving what is read', async (world) => {
  const { room } = await roomWithHistory(world);
  const mina = await world.guest('mina', room);
  await mina.sees(`line ${MESSAGES}`);
  const first = (await mina.rows())[0].body;
  // At once, so that nothing can come between going there and looking.
  const before = await scrollAndMeasure(mina);
  await until(async () => (await mina.rows())[0].body !== first, 'older messages are there');
  const after = await topOf(mina, exactly(first));
  assert.ok(Math.abs(after - before) <= 1, `what was read moved by ${after - before} px`);
});

scenario('a reader at the end follows', async (world) => {
  const { host, room } = await roomWithHistory(world);
  const mina = await world.guest('mina', room);
  await mina.sees(`line ${MESSAGES}`);
  for (let n = 1; n <= 20; n += 1) await host.send(room, `news ${n}`);
  await mina.sees('news 20');
  await until(() => mina.isInView('news 20'), 'the newest message is in view');
});

scenario('what came during an absence is below a divider', async (world) => {
  const room = await world.room();
  const jun = await world.guest('jun', room);
  const mina = await world.guest('mina', room);
  await mina.say('I am a member now');
  await jun.say('before');
  await mina.sees('before');
  await until(() => mina.sockets.some(({ sent }) => sent.some(({ t, number }) => t === 'read' && number === 2)), 'mina has read up to here');
  await mina.open('/');
  await jun.say('meanwhile');
  await jun.sees('meanwhile');
  await mina.openRoom(room);
  await mina.sees('meanwhile');
  await mina.at('unread-divider').waitFor();
  const lines = await mina.page.evaluate(() => {
    const texts = (line) => (line.dataset.testid === 'unread-divider' ? '---' : line.querySelector('[data-testid=body]').innerText.trim());
    return [...document.querySelectorAll('[data-testid=unread-divider], [data-testid=message]')].map(texts);
  });
  assert.deepEqual(lines, ['I am a member now', 'before', '---', 'meanwhile']);
});

/** A member of a room who has read it and is elsewhere now. */
async function memberElsewhere(world, room) {
  const mina = await world.guest('mina', room);
  await mina.say('I am a member now');
  await mina.sees('I am a member now');
  await mina.open('/');
  return mina;
}

const inList = (person, room) => person.view.locator(`.sidebar [data-room-id="${room}"]`);

const isNamed = (person, pattern) => until(async () => pattern.test(await person.page.title()), async () => `the tab is named ${pattern}; it is ${await person.page.title()}`);

scenario('a room that opens far above its end is not read by that, and is by going to the end', async (world) => {
  const room = await world.room('Far above');
  const jun = await world.apiGuest('jun');
  const mina = await memberElsewhere(world, room);
  for (let n = 1; n <= 40; n += 1) await jun.send(room, `news ${n}\nwith a second line`);
  await mina.openRoom(room);
  await mina.at('unread-divider').waitFor();
  await mina.at('new-messages').waitFor();
  await isNamed(mina, /^\(40\) Far above/);
  assert.match(await inList(mina, room).innerText(), /40/, 'the list says that it is read');
  await mina.at('new-messages').click();
  await until(() => mina.isInView('news 40'), 'the newest is in view');
  await isNamed(mina, /^Far above/);
  await until(async () => !/40/.test(await inList(mina, room).innerText()), 'the list says that it is read');
});

scenario('the pill leads a member to the end of rows that are all there, and the tab counts once', async (world) => {
  const room = await world.room('All there');
  const jun = await world.apiGuest('jun');
  for (let n = 1; n <= 30; n += 1) await jun.send(room, `line ${n}`);
  const mina = await world.guest('mina', room);
  await mina.say('I am a member now');
  await mina.sees('I am a member now');
  await mina.log().evaluate((log) => { log.scrollTop = 0; });
  await mina.at('new-messages').waitFor();
  await jun.send(room, 'news');
  await until(async () => /1/.test(await mina.at('new-messages').innerText()), 'the pill counts one');
  await isNamed(mina, /^\(1\) All there/);
  await mina.at('new-messages').click();
  await until(() => mina.isInView('news'), 'the newest is in view');
  await isNamed(mina, /^All there/);
});

function exactly(body) {
  return new RegExp(`^\\s*${body}\\s*$`);
}
