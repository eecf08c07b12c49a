// The list of one's rooms beside the page: whose rooms it shows, and what stays where it is when it is
// rebuilt.

import assert from 'node:assert/strict';

import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('list');
const PASSWORD = 'correct horse battery staple';

const link = (person, room) => person.view.locator(`.sidebar [data-room-id="${room}"]`);

/** A guest who has said something in each of these rooms, and is in the last of them. */
async function member(world, name, rooms) {
  const person = await world.guest(name, rooms[0]);
  for (const room of rooms) {
    await person.openRoom(room);
    await person.canWrite();
    await person.say('here');
    await person.sees('here');
  }
  return person;
}

scenario('the rooms of one user are never shown to the next', async (world) => {
  const owner = await world.person('owner');
  await owner.open('/register');
  await owner.at('username').fill('next.user');
  await owner.at('password').fill(PASSWORD);
  await owner.at('submit').click();
  await owner.at('account-menu').filter({ visible: true }).first().waitFor();

  const room = await world.room('Of the guest');
  const mina = await member(world, 'mina', [room]);
  await link(mina, room).waitFor();
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  let held = 0;
  await mina.page.route(/\/v1\/rooms(\?|$)/, async (route) => {
    held += 1;
    await released;
    await route.continue();
  });
  // One page of the guest's rooms is on its way, and there is no list to clear on the page of signing in.
  await mina.page.locator('.account').click();
  await until(() => held > 0, 'the rooms of the guest are asked for');
  await mina.page.evaluate(() => { document.body.append(Object.assign(document.createElement('a'), { href: '/sign-in', id: 'to-sign-in', textContent: 'x' })); });
  await mina.page.locator('#to-sign-in').click();
  await mina.at('username').fill('next.user');
  await mina.at('password').fill(PASSWORD);
  await mina.at('submit').click();
  await mina.view.locator('.account').filter({ hasText: 'next.user' }).waitFor();
  assert.equal(await link(mina, room).count(), 0, 'the list is still that of the guest');
  release();
  await mina.view.locator('.sidebar').getByText('The rooms you join appear here.').waitFor();
  assert.equal(await link(mina, room).count(), 0, 'a page that was on its way brought the rooms of the guest');
});

scenario('the focus stays with its room when two messages change the list in one frame', async (world) => {
  const rooms = [await world.room('One'), await world.room('Two'), await world.room('Three')];
  const jun = await world.apiGuest('jun');
  const mina = await member(world, 'mina', rooms);
  const order = () => mina.page.evaluate(() => [...document.querySelectorAll('.sidebar [data-room-id]')].map((link) => link.dataset.roomId));
  await mina.openRoom(rooms[0]);
  await until(async () => (await order()).join() === [...rooms].reverse().join(), async () => `the list is in order; it is ${await order()}`);
  await link(mina, rooms[1]).focus();
  await mina.page.evaluate(() => {
    const held = [];
    const draw = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (act) => held.push(act);
    window.drawAll = () => {
      window.requestAnimationFrame = draw;
      for (const act of held) act(performance.now());
    };
  });
  const members = async () => link(mina, rooms[0]).innerText();
  await jun.send(rooms[0], 'first');
  await until(async () => (await order())[0] === rooms[0], 'the first message turned the list');
  const sora = await world.apiGuest('sora');
  await sora.send(rooms[0], 'second');
  await until(async () => /4 members/.test(await members()), async () => `the second message changed the list; it is ${await members()}`);
  await mina.page.evaluate(() => window.drawAll());
  assert.equal(await mina.page.evaluate(() => document.activeElement.dataset.roomId), rooms[1]);
});
