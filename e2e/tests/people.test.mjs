// Finding people, and leaving rooms.

import assert from 'node:assert/strict';

import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('people');

scenario('from the lobby one finds somebody of an own room by name and writes to them', async (world) => {
  const room = await world.room();
  const jun = await world.guest('jun', room);
  await jun.say('hello');
  const seoyeon = await world.apiGuest('서연');
  await seoyeon.send(room, '안녕하세요');
  const mina = await world.guest('mina', room);
  await mina.say('hello both');
  await mina.sees('hello both');
  await mina.open('/');
  await mina.at('new-direct').click();
  await mina.at('sought').fill('서');
  await until(async () => await mina.at('person').count() === 1, 'one person has that name');
  await mina.at('sought').fill('nobody');
  await until(async () => await mina.at('person').count() === 0, 'nobody has that name');
  await mina.at('sought').fill('JU');
  await mina.at('person').filter({ hasText: 'jun' }).click();
  await mina.page.waitForURL(/\/r\/[0-9a-f-]{36}$/);
  await mina.canWrite();
  await mina.say('just for you');
  await mina.sees('just for you');
  await jun.view.locator('.sidebar').getByText('mina').click();
  await jun.sees('just for you');
});

scenario('who leaves a room is asked first, and finds it in the list no more', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('hello');
  await mina.sees('hello');
  const inList = mina.view.locator(`.sidebar [data-room-id="${room}"]`);
  await inList.waitFor();
  await mina.at('who').click();
  await mina.at('leave').click();
  await mina.view.locator('dialog[open]').getByRole('button', { name: 'Cancel' }).click();
  await mina.at('leave').click();
  await mina.view.locator('dialog[open] [data-testid=confirm]').click();
  await mina.page.waitForURL(/\/$/);
  await mina.at('account-menu').waitFor();
  await until(async () => await inList.count() === 0, 'the room is gone from the list');
  await mina.reload();
  await mina.at('account-menu').waitFor();
  await mina.view.locator('.sidebar').getByText('The rooms you join appear here.').waitFor();
});

scenario('the first unread message is one click away', async (world) => {
  const room = await world.room();
  const jun = await world.apiGuest('jun');
  const mina = await world.guest('mina', room);
  await mina.say('I was here');
  await mina.sees('I was here');
  await until(async () => (await mina.page.evaluate(() => document.hasFocus())), 'mina looks at the page');
  await mina.open('/');
  for (let n = 1; n <= 60; n += 1) await jun.send(room, `news ${n}\nwith a second line`);
  await mina.openRoom(room);
  await mina.at('unread-divider').waitFor();
  await mina.at('new-messages').click();
  await mina.at('first-unread').click();
  const first = mina.row('news 1\n');
  await until(async () => first.evaluate((row) => {
    const [place, view] = [row, row.closest('[role=log]')].map((element) => element.getBoundingClientRect());
    return place.top >= view.top && place.bottom <= view.bottom;
  }), 'the first unread message is in sight');
});

scenario('a name to show can be chosen with the account, and the password looked at', async (world) => {
  const mina = await world.person('mina');
  await mina.page.goto(`${mina.servers.web}/register`);
  await mina.view.locator('[data-testid=submit]:enabled').waitFor();
  await mina.at('username').fill('mina_1');
  await mina.at('password').fill('a sentence that I like');
  const kind = () => mina.at('password').getAttribute('type');
  assert.equal(await kind(), 'password');
  await mina.at('reveal').click();
  assert.equal(await kind(), 'text');
  assert.equal(await mina.at('password').getAttribute('autocomplete'), 'new-password');
  await mina.at('display-name').fill('민아');
  await mina.at('submit').click();
  await mina.at('account-menu').waitFor();
  assert.match(await mina.at('account-menu').innerText(), /민아/);
});
