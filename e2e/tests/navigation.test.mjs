// Going from page to page: links load nothing, addresses are those of the pages, the way back works.

import assert from 'node:assert/strict';

import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('navigation');

/** Leaves a mark in the document, which a load of another one would lose. */
const mark = (person) => person.page.evaluate(() => { window.marked = true; });
const isMarked = (person) => person.page.evaluate(() => window.marked === true);

async function isAt(person, path) {
  await until(() => new URL(person.page.url()).pathname === path, () => `${person.name} is at ${path}; it is ${person.page.url()}`);
}

/** Opens the room from the list of rooms. */
async function choose(person, room) {
  await person.page.locator(`[data-room-id="${room}"]`).filter({ visible: true }).first().click();
  await isAt(person, `/r/${room}`);
}

/** The id of the room that is at the top of the list of rooms. */
const topOfList = (person) =>
  person.page.locator('.sidebar [data-room-id]').filter({ visible: true }).first().getAttribute('data-room-id');

async function openSettings(person) {
  await person.at('account-menu').filter({ visible: true }).first().click();
  await isAt(person, '/settings');
  await person.at('sign-out').waitFor();
}

scenario('from the lobby to a room, to the settings, and back, without loading a page', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('here');
  await mina.sees('here');
  await mina.open('/');
  await mark(mina);

  await choose(mina, room);
  await mina.sees('here');
  await openSettings(mina);
  assert.equal(await mina.log().count(), 0, 'the room is still shown');
  await mina.page.goBack();
  await isAt(mina, `/r/${room}`);
  await mina.sees('here');
  await mina.say('back again');
  await mina.sees('back again');
  await mina.page.goBack();
  await isAt(mina, '/');
  await until(async () => (await mina.log().count()) === 0, 'the lobby is shown');
  await mina.page.goForward();
  await isAt(mina, `/r/${room}`);
  await mina.shows(['here', 'back again']);
  assert.ok(await isMarked(mina), 'a page was loaded');
});

scenario('from room to room, each shows its own messages', async (world) => {
  const [first, second] = [await world.room('First'), await world.room('Second')];
  const mina = await world.guest('mina', first);
  await mina.say('in the first');
  await mina.sees('in the first');
  await mina.openRoom(second);
  await mina.canWrite();
  await mina.say('in the second');
  await mina.shows(['in the second']);
  // Until the list has taken the message in, its rows change places under the pointer.
  await until(async () => (await topOfList(mina)) === second, 'the room that was written in is at the top');
  await mark(mina);

  await choose(mina, first);
  await mina.shows(['in the first']);
  await mina.page.goBack();
  await mina.shows(['in the second']);
  assert.ok(await isMarked(mina), 'a page was loaded');
});

scenario('every page can be opened by its address', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  for (const path of ['/', `/r/${room}`, '/sign-in', '/register', '/settings', '/invite']) {
    const answer = await mina.page.goto(mina.servers.web + path);
    assert.equal(answer.status(), 200, path);
    assert.match(answer.headers()['content-encoding'] ?? 'none', /^(br|gzip)$/, path);
    await mina.page.locator('#content, [role=log]').first().waitFor();
  }
});

scenario('a link that is opened in another tab leaves this one alone', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const opened = mina.context.waitForEvent('page');
  await mina.at('account-menu').filter({ visible: true }).first().click({ modifiers: ['Control'] });
  const tab = await opened;
  await tab.waitForURL(/\/settings$/);
  await tab.close();
  await isAt(mina, `/r/${room}`);
  await mina.say('still here');
  await mina.sees('still here');
});
