// Rooms and who may do what in them: invitations, direct messages, and what is refused.

import assert from 'node:assert/strict';

import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('rooms');

/** Makes a room in the lobby and returns its id. */
async function createRoom(person, name, kind = 'Everyone') {
  await person.open('/');
  await person.at('create-room').filter({ visible: true }).first().click();
  await person.at('new-room-name').fill(name);
  await person.view.getByRole('radio', { name: new RegExp(kind) }).check({ force: true });
  await person.at('new-room-name').press('Enter');
  await person.page.waitForURL(/\/r\/[0-9a-f-]{36}$/);
  await person.canWrite();
  return person.page.url().split('/').at(-1);
}

const roomLink = (person, room) => person.view.locator(`.sidebar [data-testid=room-link][data-room-id="${room}"]`);

scenario('a private room is entered by its invite link and by nothing else', async (world) => {
  world.provokes(PROVOKED.notFound);
  const mina = await world.lobbyGuest('mina');
  const room = await createRoom(mina, 'Behind the curtain', 'Invited');
  await mina.say('only for those invited');
  await mina.sees('only for those invited');
  await mina.at('invite').click();
  await until(async () => (await mina.at('invite-link').inputValue()) !== '', 'the link is made');
  const link = await mina.at('invite-link').inputValue();
  assert.ok(link.startsWith(`${world.servers.web}/`), link);

  const stranger = await world.lobbyGuest('stranger');
  assert.equal(await stranger.at('room-link').filter({ hasText: 'Behind the curtain' }).count(), 0, 'the lobby lists it');
  await stranger.open(`/r/${room}`);
  await stranger.view.getByText('Could not open the room').waitFor();
  assert.equal(await stranger.at('composer').count(), 0, 'a stranger can write');
  assert.deepEqual(await stranger.rows(), []);

  const jun = await world.person('jun');
  await jun.open(link);
  await jun.join();
  await jun.page.waitForURL(`**/r/${room}`);
  await jun.canWrite();
  await jun.sees('only for those invited');
  await jun.say('thank you');
  await mina.sees('thank you');
  for (const { url } of jun.requests) assert.ok(!url.includes(link.split('#')[1]), `the code is in ${url}`);
});

scenario('an invite link that is not one says so', async (world) => {
  world.provokes(PROVOKED.notFound);
  const mina = await world.lobbyGuest('mina');
  for (const code of ['', '#nonsense', `#${'A'.repeat(22)}`]) {
    await mina.page.goto('about:blank');
    await mina.open(`/invite${code}`);
    await mina.view.getByText('This invite link has ended or is not valid.').waitFor();
  }
});

scenario('a room that becomes read-only says so at once to who may not write, and opens again', async (world) => {
  const host = await world.apiGuest('host');
  const room = await host.createRoom('By turns');
  const mina = await world.guest('mina', room);
  await mina.say('before');
  await mina.sees('before');
  await host.call('PATCH', `/v1/rooms/${room}`, { read_only: true });
  await mina.view.getByText('This room is read-only.').waitFor();
  assert.equal(await mina.at('composer').count(), 0);
  await host.call('PATCH', `/v1/rooms/${room}`, { read_only: false });
  await mina.canWrite();
  await mina.say('after');
  await mina.sees('after');
});

scenario('nobody is offered to change what others wrote', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('mine');
  await jun.sees('mine');
  await jun.row('mine').hover();
  await jun.row('mine').locator('[data-testid=action-reply]').waitFor();
  assert.equal(await jun.row('mine').locator('[data-testid=message-actions]').count(), 0);
  await mina.row('mine').hover();
  await mina.row('mine').locator('[data-testid=message-actions]').waitFor();
});

scenario('a form says what is wrong with what was typed, and takes what is right', async (world) => {
  world.provokes(PROVOKED.refusedRequest);
  const mina = await world.person('mina');
  await mina.open('/');
  await mina.join('admin');
  await mina.view.getByRole('alert').filter({ hasText: 'This name is reserved.' }).waitFor();
  await mina.join('mina');
  await mina.at('create-room').filter({ visible: true }).first().click();
  await mina.at('new-room-name').press('Enter');
  await mina.view.getByRole('dialog').getByRole('alert').filter({ hasText: 'Please type something.' }).waitFor();
  await mina.at('new-room-name').fill('A name');
  await mina.at('new-room-name').press('Enter');
  await mina.page.waitForURL(/\/r\/[0-9a-f-]{36}$/);
});

scenario('a room that does not exist is told in words', async (world) => {
  world.provokes(PROVOKED.notFound);
  const mina = await world.person('mina');
  await mina.open('/r/00000000-0000-4000-8000-000000000000');
  await mina.view.getByText('Could not open the room').waitFor();
  assert.equal(await mina.at('composer').count(), 0);
});
