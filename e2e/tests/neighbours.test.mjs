// What people do every day, once through: the script that `cargo xtask release-check` runs with each side
// in the other's release. It names only hooks that stay (data-testid), so that a change of the look fails
// nothing here.

import { bodyOf } from '../support/api.mjs';
import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';
import assert from 'node:assert/strict';

const { scenario } = world('neighbours');

scenario('people join, talk in Korean, edit, react and take back', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);

  await mina.say('안녕하세요 👋');
  await jun.say('반가워요, 미나 씨');
  for (const person of [mina, jun]) await person.shows(['안녕하세요 👋', '반가워요, 미나 씨']);

  await mina.act('안녕하세요', 'action-edit');
  await until(async () => (await mina.at('composer').inputValue()) === '안녕하세요 👋', 'the text to edit is in the composer');
  await mina.say('안녕하세요, 여러분');
  await jun.sees('안녕하세요, 여러분');

  await jun.act('안녕하세요', 'action-react');
  await jun.row('안녕하세요').getByRole('button', { name: '👍', exact: true }).first().click();
  await mina.row('안녕하세요').locator('[data-testid=reaction]', { hasText: '👍' }).waitFor();

  await jun.act('반가워요', 'action-delete');
  await jun.at('confirm').filter({ visible: true }).click();
  await mina.seesNo('반가워요, 미나 씨');
});

scenario('who was cut off sends what waited, and misses nothing', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const jun = await world.apiGuest('jun');
  const mina = await world.guest('mina', room);
  await mina.say('하나');
  await mina.sees('하나');

  world.servers.network.cut();
  await mina.say('셋');
  await mina.seesState('셋', 'sending');
  await jun.send(room, '둘');
  world.servers.network.mend();

  await mina.shows(['하나', '둘', '셋'], 45_000);
  await mina.seesEachMessageOnce();
  assert.deepEqual((await jun.history(room)).map(bodyOf), ['하나', '둘', '셋']);
});

scenario('a restart of the back end is survived, and what came meanwhile is unread', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const jun = await world.apiGuest('jun');
  const mina = await world.guest('mina', room);
  await mina.say('나 왔어요');
  await mina.sees('나 왔어요');

  await world.servers.stopBackend();
  await world.servers.startBackend();
  await mina.say('아직 있어요');
  await mina.shows(['나 왔어요', '아직 있어요'], 45_000);

  await mina.open('/');
  await jun.send(room, '새 소식');
  await mina.openRoom(room);
  await mina.sees('새 소식');
  await mina.at('unread-divider').waitFor();
  await mina.reload();
  await mina.shows(['나 왔어요', '아직 있어요', '새 소식']);
});
