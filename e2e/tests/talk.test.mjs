import { world } from '../support/world.mjs';
import { until } from '../support/until.mjs';
import assert from 'node:assert/strict';

const { scenario } = world('talk');

scenario('two guests talk', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);

  await mina.say('안녕하세요 👋');
  await jun.sees('안녕하세요 👋');
  await jun.say('hello, mina');

  await mina.shows(['안녕하세요 👋', 'hello, mina']);
  await jun.shows(['안녕하세요 👋', 'hello, mina']);
  assert.match(await jun.row('안녕하세요').innerText(), /mina/);
});

scenario('a visitor finds the way from the lobby: joins, makes a room, talks in it', async (world) => {
  const mina = await world.person('mina');
  await mina.open('/');
  await mina.join();
  await mina.at('create-room').first().click();
  await mina.at('new-room-name').fill('사랑방');
  await mina.at('new-room-name').press('Enter');
  await mina.page.waitForURL(/\/r\/[0-9a-f-]{36}$/);
  await mina.canWrite();
  await mina.say('is anybody here?');
  await mina.sees('is anybody here?');

  const jun = await world.person('jun');
  await jun.open('/');
  await jun.join();
  await jun.at('room-link').filter({ hasText: '사랑방' }).first().click();
  await jun.sees('is anybody here?');
});

scenario('a visitor reads without joining, and sees what comes', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('before');
  const visitor = await world.person('visitor');
  await visitor.openRoom(room);
  await visitor.sees('before');
  await mina.say('after');
  await visitor.sees('after');
});

scenario('a reload keeps who somebody is and shows nothing twice', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('one');
  await jun.say('two');
  await mina.shows(['one', 'two']);

  await mina.reload();
  await mina.canWrite();
  await mina.shows(['one', 'two']);
  await mina.say('three');

  await jun.shows(['one', 'two', 'three']);
  await jun.seesEachMessageOnce();
  const history = await (await world.apiGuest('reader')).history(room);
  assert.equal(history[2].author.id, history[0].author.id, 'the reload made another user');
});

scenario('the same word sent twice shows twice', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('네');
  await mina.say('네');
  await mina.sees('네', 2);
  await jun.sees('네', 2);
  await jun.seesEachMessageOnce();
});

scenario('somebody who comes back after closing the page has missed nothing', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('one');
  await jun.sees('one');
  await jun.page.close();
  await mina.say('two');
  await mina.say('three');
  await mina.shows(['one', 'two', 'three']);
  jun.watch(await jun.context.newPage());
  await jun.openRoom(room);
  await jun.canWrite();
  await jun.shows(['one', 'two', 'three']);
});

scenario('who is here and who is typing is seen by the others', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await until(async () => /2/.test(await jun.at('who').first().innerText()), 'jun sees that two people are here');
  await mina.at('composer').pressSequentially('thinking');
  await until(async () => /mina/.test(await jun.at('typing').first().innerText()), 'jun sees that mina is typing');
  await mina.at('composer').press('Enter');
  await jun.sees('thinking');
  await until(async () => !/mina/.test(await jun.at('typing').first().innerText({ timeout: 500 }).catch(() => '')), 'mina no longer types');
});
