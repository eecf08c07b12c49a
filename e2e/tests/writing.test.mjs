// What can be done with a message beyond sending it: answers, reactions, drafts, what was not sent.

import assert from 'node:assert/strict';

import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('writing');
const CONVERGED_MS = 45_000;

/** The reactions under a message, as `{ emoji: [count, whether it is the reader's own] }`. */
const reactions = (person, body) => person.row(body).locator('[data-testid=reaction]').evaluateAll((buttons) =>
  Object.fromEntries(buttons.map((button) => [button.textContent.match(/\p{Extended_Pictographic}/u)[0], [Number(button.textContent.match(/\d+/)[0]), button.ariaPressed === 'true']])));

async function seesReactions(person, body, expected) {
  await until(
    async () => JSON.stringify(await reactions(person, body)) === JSON.stringify(expected),
    async () => `${person.name} sees ${JSON.stringify(expected)}; there is ${JSON.stringify(await reactions(person, body))}`,
  );
}

async function react(person, body, emoji) {
  await person.act(body, 'action-react');
  await person.row(body).getByRole('button', { name: emoji, exact: true }).first().click();
}

scenario('an answer quotes what it answers, for both', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('what is for lunch?');
  await mina.say('I am hungry');
  await jun.sees('I am hungry');
  await jun.act('what is for lunch?', 'action-reply');
  await jun.say('rice');

  for (const person of [mina, jun]) {
    await person.sees('rice');
    const quote = person.row('rice').locator('[data-testid=quote]');
    assert.match(await quote.innerText(), /mina[^]*what is for lunch\?/);
    assert.equal(await person.row('I am hungry').locator('[data-testid=quote]').count(), 0, 'another message quotes too');
  }
  const [question, , answer] = await (await world.apiGuest('reader')).history(room);
  assert.equal(answer.reply_to.id, question.id);
});

scenario('an answer that was begun and left is an ordinary message', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('first');
  await mina.sees('first');
  await mina.act('first', 'action-reply');
  await mina.at('composer').press('Escape');
  await mina.say('second');
  await mina.sees('second');
  assert.equal(await mina.row('second').locator('[data-testid=quote]').count(), 0);
});

scenario('reactions of two people are counted, and taken away by who gave them', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('look at this');
  await jun.sees('look at this');

  await react(jun, 'look at this', '👍');
  await seesReactions(jun, 'look at this', { '👍': [1, true] });
  await seesReactions(mina, 'look at this', { '👍': [1, false] });
  await mina.row('look at this').locator('[data-testid=reaction]').click();
  await seesReactions(mina, 'look at this', { '👍': [2, true] });
  await seesReactions(jun, 'look at this', { '👍': [2, true] });
  await react(mina, 'look at this', '🎉');
  await seesReactions(jun, 'look at this', { '👍': [2, true], '🎉': [1, false] });

  await jun.row('look at this').locator('[data-testid=reaction]').filter({ hasText: '👍' }).click();
  await seesReactions(mina, 'look at this', { '👍': [1, true], '🎉': [1, true] });
  await seesReactions(jun, 'look at this', { '👍': [1, false], '🎉': [1, false] });
  await jun.reload();
  await seesReactions(jun, 'look at this', { '👍': [1, false], '🎉': [1, false] });
  await mina.row('look at this').locator('[data-testid=reaction]').filter({ hasText: '👍' }).click();
  await mina.row('look at this').locator('[data-testid=reaction]').filter({ hasText: '🎉' }).click();
  await seesReactions(mina, 'look at this', {});
  await seesReactions(jun, 'look at this', {});
});

scenario('each room keeps its draft, over a change of rooms and a reload, until it is sent', async (world) => {
  const mina = await world.person('mina');
  const [first, second] = [await world.room('First'), await world.room('Second')];
  await mina.openAndJoin(first);
  await mina.say('a member of the first');
  await mina.sees('a member of the first');
  await mina.openRoom(second);
  await mina.say('a member of the second');
  await mina.sees('a member of the second');

  const goTo = async (room) => {
    await mina.view.locator(`[data-testid=room-link][data-room-id="${room}"]`).filter({ visible: true }).first().click();
    await mina.page.waitForURL(`**/r/${room}`);
    await mina.followsRoom();
  };
  const draftIs = (text) => until(async () => (await mina.at('composer').inputValue()) === text, async () => `the draft is ${JSON.stringify(text)}; it is ${JSON.stringify(await mina.at('composer').inputValue())}`);
  await mina.at('composer').pressSequentially('for the second');
  await goTo(first);
  await draftIs('');
  await mina.at('composer').pressSequentially('for the first');
  await goTo(second);
  await draftIs('for the second');
  await mina.reload();
  await draftIs('for the second');
  await mina.openRoom(first);
  await draftIs('for the first');

  await mina.at('composer').press('Enter');
  await mina.sees('for the first');
  await draftIs('');
  await mina.reload();
  await mina.sees('for the first');
  await draftIs('');
});

scenario('what the server refuses can be sent again when the reason is gone, or thrown away', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const host = await world.apiGuest('host');
  const room = await host.createRoom('Closed for a while');
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('before');
  await jun.sees('before');

  // Written while the room is open, received after it was closed.
  world.servers.network.cut();
  await mina.say('to be sent again');
  await mina.seesState('to be sent again', 'sending');
  await mina.say('to be thrown away');
  await mina.seesState('to be thrown away', 'sending');
  await host.call('PATCH', `/v1/rooms/${room}`, { read_only: true });
  world.servers.network.mend();
  await mina.seesState('to be sent again', 'failed', CONVERGED_MS);
  await mina.seesState('to be thrown away', 'failed', CONVERGED_MS);
  assert.match(await mina.row('to be sent again').getByRole('alert').innerText(), /read-only/, 'it does not say why');

  await mina.row('to be thrown away').locator('[data-testid=discard]').click();
  await mina.seesNo('to be thrown away');
  await host.call('PATCH', `/v1/rooms/${room}`, { read_only: false });
  await mina.canWrite();
  await mina.row('to be sent again').locator('[data-testid=retry]').click();
  await mina.shows(['before', 'to be sent again'], CONVERGED_MS);
  await jun.shows(['before', 'to be sent again'], CONVERGED_MS);
  await mina.reload();
  await mina.shows(['before', 'to be sent again']);
});

scenario('a quote leads to its message, however far back, and the pill leads back', async (world) => {
  const host = await world.apiGuest('historian');
  const room = await host.createRoom('A long story');
  const question = await host.send(room, 'the question');
  for (let n = 1; n <= 230; n += 1) await host.send(room, `line ${n}`);
  await host.reply(room, question.id, 'the answer');
  const mina = await world.guest('mina', room);
  await mina.sees('the answer');
  await until(() => mina.isInView('the answer'), 'the newest message is in view');
  assert.ok(!(await mina.bodies()).includes('the question'), 'the question is there already, so this proves little');

  await mina.row('the answer').locator('[data-testid=quote]').click();
  await mina.sees('the question');
  await until(() => mina.isInView('the question'), 'the quoted message is in view');
  await mina.at('new-messages').click();
  await until(() => mina.isInView('the answer'), 'the pill leads back');
});
