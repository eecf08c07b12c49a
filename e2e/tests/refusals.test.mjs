// What the server refuses comes back to its author: no text is lost, and nothing fails in silence.

import assert from 'node:assert/strict';

import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('refusals');
/** A character that no message may hold. */
const BAD = 'ring the bell \u0007';

const isRefused = (person) => person.at('refusal').filter({ visible: true }).first().waitFor();
const written = (person) => person.at('composer').inputValue();

async function cutOff(world, person) {
  world.provokes(PROVOKED.lostNetwork);
  world.servers.network.cut();
  await person.at('connection-banner').waitFor({ state: 'visible' });
}

scenario('a refused text is back in the field, with what it answers', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('the question');
  await mina.sees('the question');
  await mina.act('the question', 'action-reply');
  await mina.say(BAD);
  await until(async () => (await written(mina)) === BAD, 'the text is back');
  await isRefused(mina);
  assert.deepEqual(await mina.bodies(), ['the question']);
  await mina.say('the answer');
  await mina.sees('the answer');
  assert.match(await mina.row('the answer').innerText(), /the question/, 'it answers nothing any more');
});

scenario('refused texts stay as failed rows while their author writes on', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await cutOff(world, mina);
  await mina.say(`${BAD} one`);
  await mina.say(`${BAD} two`);
  await mina.at('composer').fill('and something else');
  world.servers.network.mend();
  await mina.seesState(`${BAD} one`, 'failed', 45_000);
  await mina.seesState(`${BAD} two`, 'failed');
  assert.equal(await written(mina), 'and something else');
  await mina.row('two').locator('[data-testid=discard]').click();
  await mina.seesNo(`${BAD} two`);
  await mina.seesState(`${BAD} one`, 'failed');
});

scenario('a refused edit returns to the editor with its text, and says so', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('as it was');
  await mina.sees('as it was');
  await mina.at('composer').fill('a draft');
  await mina.act('as it was', 'action-edit');
  await mina.say(BAD);
  await until(async () => (await written(mina)) === BAD, 'the edit is back');
  await mina.at('toast').waitFor();
  assert.match(await mina.at('toast').innerText(), /^Not edited/);
  await mina.say('as it should be');
  await mina.sees('as it should be');
  assert.equal(await written(mina), 'a draft');
});

scenario('a refused reaction says so', async (world) => {
  const room = await world.room();
  const jun = await world.apiGuest('jun');
  const { id } = await jun.send(room, 'much loved');
  const emoji = ['👍', '❤️', '😂', '🎉', '🙏', '👏', '🔥', '😮', '😢', '😍', '🤔', '👀', '✅', '❌', '💯', '🙌', '😅', '😊', '😭', '🤣'];
  for (const one of emoji) await jun.call('PUT', `/v1/rooms/${room}/messages/${id}/reactions`, { emoji: one, on: true });
  const mina = await world.guest('mina', room);
  await mina.act('much loved', 'action-react');
  await mina.view.locator('.emoji-bar__item', { hasText: '💪' }).click();
  await mina.at('toast').waitFor();
  assert.match(await mina.at('toast').innerText(), /^Reaction not saved/);
});

scenario('the message that the outbox does not take stays in the field', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await cutOff(world, mina);
  for (let n = 1; n <= 100; n += 1) await mina.say(`waiting ${n}`);
  await mina.say('one too many');
  await isRefused(mina);
  assert.equal(await written(mina), 'one too many');
  world.servers.network.mend();
  await mina.sees('waiting 100', 1, 60_000);
  await mina.at('composer').press('Enter');
  await mina.sees('one too many');
});

scenario('an answer that is begun during an edit keeps what was being written before', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('mine');
  await mina.sees('mine');
  await mina.at('composer').fill('half a thought');
  await mina.act('mine', 'action-edit');
  await until(async () => (await written(mina)) === 'mine', 'the text to edit is in the field');
  await mina.act('mine', 'action-reply');
  await until(async () => (await written(mina)) === 'half a thought', 'the draft is back');
});

scenario('a draft is there after a reload, however soon, and in its own room only', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.at('composer').fill('not yet sent');
  await mina.reload();
  await until(async () => (await written(mina)) === 'not yet sent', 'the draft is back');
  await mina.openRoom(await world.room());
  await mina.canWrite();
  assert.equal(await written(mina), '');
});

scenario('an offered name that was taken meanwhile is replaced by another, in words', async (world) => {
  world.provokes(PROVOKED.refusedRequest);
  const room = await world.room();
  const mina = await world.person('mina');
  let taken = null;
  await mina.page.route('**/v1/guests', async (route) => {
    if (taken !== null || route.request().method() !== 'POST') return route.continue();
    taken = route.request().postDataJSON().name;
    const problem = { type: 'urn:sarangbang:problem:name_taken', title: 'Taken', status: 409, code: 'name_taken', retry: false, field: 'name' };
    return route.fulfill({ status: 409, headers: { 'access-control-allow-origin': '*' }, contentType: 'application/problem+json', body: JSON.stringify(problem) });
  });
  await mina.openRoom(room);
  const name = () => mina.at('join-name').inputValue();
  await until(async () => (await name()) !== '', 'a name is offered');
  await mina.at('join').click();
  await mina.view.getByRole('alert').filter({ hasText: 'Somebody has just taken that name. How about this one?' }).waitFor();
  await until(async () => ![taken, ''].includes(await name()), async () => `another name is offered; it is ${await name()}`);
  const offered = await name();
  await mina.at('join').click();
  await mina.canWrite();
  assert.equal((await mina.user()).name, offered);
});
