// Crashes, cuts and being offline: both sides converge, nothing acknowledged is lost or doubled.

import assert from 'node:assert/strict';

import { bodyOf } from '../support/api.mjs';
import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('network');
/** Reconnecting backs off; how long it may take until both sides agree again. */
const CONVERGED_MS = 45_000;

scenario('the server is killed in the middle of a burst and comes back: both sides converge', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  const said = [];
  const burst = async (person, from, to) => {
    for (let n = from; n < to; n += 1) {
      const text = `${person.name} ${n}`;
      said.push(text);
      await person.say(text);
    }
  };
  await Promise.all([burst(mina, 0, 10), burst(jun, 0, 10)]);
  const dying = Promise.all([burst(mina, 10, 25), burst(jun, 10, 25)]);
  await world.servers.killBackend();
  await dying;
  const waiting = (await mina.rows()).filter((row) => row.state === 'sending').length;
  assert.ok(waiting > 0, 'everything was sent before the crash, so this proves nothing');
  await world.servers.startBackend();

  for (const person of [mina, jun]) {
    await until(
      async () => (await person.rows()).filter((row) => row.state === 'sent').length === said.length,
      async () => `${person.name} sees all ${said.length} sent; there is ${JSON.stringify(await person.rows())}`,
      CONVERGED_MS,
    );
    await person.seesEachMessageOnce();
  }
  assert.deepEqual(await mina.bodies(), await jun.bodies(), 'the two sides differ');
  assert.deepEqual((await mina.bodies()).sort(), said.sort(), 'something was lost or doubled');
  const stored = (await (await world.apiGuest('reader')).history(room)).map(bodyOf);
  assert.deepEqual(stored, await mina.bodies(), 'what is shown is not what is stored');
});

scenario('what is written offline is sent once when the network is back', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('before');
  await jun.sees('before');

  await mina.context.setOffline(true);
  world.servers.network.drop();
  await mina.say('from the tunnel');
  await mina.seesState('from the tunnel', 'sending');
  await jun.say('where are you?');
  await jun.sees('where are you?', 1, CONVERGED_MS);
  await mina.context.setOffline(false);

  await mina.shows(['before', 'where are you?', 'from the tunnel'], CONVERGED_MS);
  await jun.shows(['before', 'where are you?', 'from the tunnel'], CONVERGED_MS);
});

scenario('what was written offline survives a reload', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  world.servers.network.cut();
  await mina.say('written in the dark');
  await mina.seesState('written in the dark', 'sending');
  await mina.page.reload();
  world.servers.network.mend();
  await jun.sees('written in the dark', 1, CONVERGED_MS);
  await mina.sees('written in the dark', 1, CONVERGED_MS);
  const stored = (await (await world.apiGuest('reader')).history(room)).map(bodyOf);
  assert.deepEqual(stored, ['written in the dark']);
});

scenario('a cut is told, and the banner goes when it is over', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const mina = await world.guest('mina', room);
  world.servers.network.cut();
  await mina.at('connection-banner').waitFor({ state: 'visible' });
  world.servers.network.mend();
  await mina.at('connection-banner').waitFor({ state: 'hidden', timeout: CONVERGED_MS });
  await mina.say('back');
  await mina.sees('back');
});

scenario('edits and deletions are seen by the other side, live and after an absence', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  for (const text of ['first', 'second', 'third', 'fourth']) await mina.say(text);
  await jun.shows(['first', 'second', 'third', 'fourth']);

  await edit(mina, 'first', 'first, corrected');
  await jun.sees('first, corrected');
  await remove(mina, 'second');
  await jun.seesNo('second');

  await jun.context.setOffline(true);
  world.servers.network.drop();
  await mina.canWrite();
  await edit(mina, 'third', 'third, corrected');
  await remove(mina, 'fourth');
  await mina.seesNo('fourth');
  await jun.context.setOffline(false);

  await jun.sees('third, corrected', 1, CONVERGED_MS);
  await jun.seesNo('fourth');
  const live = await jun.bodies();
  await jun.reload();
  await until(async () => JSON.stringify(await jun.bodies()) === JSON.stringify(live), async () => `a fresh load shows ${JSON.stringify(live)}; there is ${JSON.stringify(await jun.bodies())}`);
});

async function edit(person, from, to) {
  await person.act(from, 'action-edit');
  await until(async () => (await person.at('composer').inputValue()) === from, 'the text to edit is in the composer');
  await person.say(to);
  await person.sees(to);
}

async function remove(person, text) {
  await person.act(text, 'action-delete');
  await person.at('confirm').filter({ visible: true }).click();
  await person.seesNo(text);
}

scenario('a room whose history is not known does not claim to begin', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('before');
  await mina.sees('before');
  await world.servers.killBackend();
  await mina.say('meanwhile');
  await mina.seesState('meanwhile', 'sending');
  await mina.page.reload();
  await mina.row('meanwhile').waitFor();
  assert.equal(await mina.view.getByText('This is where the room begins').count(), 0);
  await world.servers.startBackend();
  await mina.sees('meanwhile');
  await mina.view.getByText('This is where the room begins').waitFor();
});
