// Writing Korean and Japanese. The events come through Chromium's own input-method path.

import assert from 'node:assert/strict';

import { chooseCandidate, compose, enterWhileComposing } from '../support/ime.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('ime');

scenario('Hangul in composition is sent once, whole, with one Enter', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.at('composer').focus();

  const session = await compose(mina, ['ㅎ', '하', '한']);
  await session.send('Input.insertText', { text: '한' });
  const last = await compose(mina, ['ㄱ', '그', '글']);
  await enterWhileComposing(last, '글');

  await jun.shows(['한글']);
  await mina.shows(['한글']);
  // A second one would have come before this.
  await mina.say('다음');
  await jun.shows(['한글', '다음']);
  await mina.shows(['한글', '다음']);
  assert.equal(await mina.at('composer').inputValue(), '', 'something stayed in the composer');
});

scenario('an Enter that chooses a candidate sends nothing, the next one sends', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.at('composer').focus();

  const session = await compose(mina, ['に', 'にほ', 'にほん', '日本']);
  await chooseCandidate(session, '日本');
  assert.equal(await mina.at('composer').inputValue(), '日本', 'choosing sent the text');
  await mina.at('composer').press('Enter');

  await jun.shows(['日本']);
});

scenario('Shift and Enter makes a line, Enter sends both lines', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.at('composer').pressSequentially('one');
  await mina.at('composer').press('Shift+Enter');
  await mina.at('composer').pressSequentially('two');
  await mina.at('composer').press('Enter');
  await jun.shows(['one\ntwo']);
});
