// The room without a mouse.

import assert from 'node:assert/strict';

import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('keyboard');

/** What has the focus, in a word or two. */
const focused = (person) => person.page.evaluate(() => {
  const element = document.activeElement;
  if (element.matches('.message')) return `row ${element.querySelector('[data-testid=body]').innerText}`;
  if (element.matches('.reaction')) return `reaction ${element.innerText}`;
  return element.dataset.testid ?? element.getAttribute('aria-label') ?? (element.innerText || element.tagName);
});

const focuses = (person, what) => until(async () => await focused(person) === what, async () => `the focus is on ${what}; it is on ${await focused(person)}`);

async function roomWithTalk(world) {
  const room = await world.room();
  const host = await world.apiGuest('jun');
  for (const text of ['one', 'two https://example.org/', 'three']) await host.send(room, text);
  const [first] = await host.history(room);
  await host.call('PUT', `/v1/rooms/${room}/messages/${first.id}/reactions`, { emoji: '👍', on: true });
  const mina = await world.guest('mina', room);
  await mina.sees('three');
  await mina.say('mine');
  await mina.sees('mine');
  return { room, mina, host };
}

scenario('the timeline is one tab stop, and its rows are reached by arrows', async (world) => {
  const { mina } = await roomWithTalk(world);
  const press = (key) => mina.page.keyboard.press(key);
  await mina.at('composer').focus();
  await press('Shift+Tab');
  await focuses(mina, 'row mine');
  await press('ArrowUp');
  await press('ArrowUp');
  await focuses(mina, 'row two https://example.org/');
  await press('Home');
  await focuses(mina, 'row one');
  await press('ArrowDown');
  await focuses(mina, 'row two https://example.org/');
  await press('Tab');
  await focuses(mina, 'composer');
  await press('Shift+Tab');
  await focuses(mina, 'row two https://example.org/');
  await press('End');
  await focuses(mina, 'row mine');
  await press('Shift+Tab');
  await focuses(mina, 'who');
  await press('Tab');
  await focuses(mina, 'row mine');
  await press('Escape');
  await focuses(mina, 'composer');
});

scenario('reactions, links and actions of a row are reached and left by keyboard', async (world) => {
  const { mina, host, room } = await roomWithTalk(world);
  const press = (key) => mina.page.keyboard.press(key);
  await mina.at('composer').focus();
  await press('Shift+Tab');
  await press('Home');
  await press('ArrowRight');
  assert.match(await focused(mina), /👍/);
  await press('Enter');
  await until(async () => (await host.history(room))[0].reactions?.[0]?.count === 2, 'mina has reacted too');
  await until(async () => /👍\s*2/.test(await focused(mina)), 'the focus is still on the reaction');
  await press('Escape');
  await focuses(mina, 'row one');
  await press('ArrowDown');
  await press('ArrowRight');
  assert.equal(await focused(mina), 'https://example.org/');
  await press('ArrowLeft');
  await focuses(mina, 'row two https://example.org/');

  await press('Enter');
  await focuses(mina, 'action-react');
  await press('Enter');
  await focuses(mina, '👍');
  await press('ArrowRight');
  await press('ArrowRight');
  await focuses(mina, '😂');
  await press('Escape');
  await focuses(mina, 'action-react');
  await press('Enter');
  await focuses(mina, '👍');
  await press('Enter');
  await focuses(mina, 'row two https://example.org/');
  await until(async () => (await host.history(room))[1].reactions?.[0]?.emoji === '👍', 'the emoji is there');
});

scenario('a visitor joins, writes, answers, corrects and leaves without a mouse', async (world) => {
  const room = await world.room();
  const host = await world.apiGuest('jun');
  await host.send(room, 'who is there?');
  const mina = await world.person('mina');
  await mina.openRoom(room);
  const press = (key) => mina.page.keyboard.press(key);
  /** Goes on by Tab until this has the focus, as somebody does who does not know the page. */
  const tabTo = async (what) => {
    const passed = [];
    await until(async () => {
      await press('Tab');
      passed.push(await focused(mina));
      return passed.at(-1) === what;
    }, () => `Tab leads to ${what}; it leads to ${passed}`);
  };
  await tabTo('join-name');
  await until(async () => (await mina.at('join-name').inputValue()) !== '', 'a name is offered');
  await press('Enter');
  await mina.canWrite();
  await tabTo('composer');
  await mina.page.keyboard.type('me');
  await press('Enter');
  await mina.sees('me');
  await press('ArrowUp');
  await until(async () => (await mina.at('composer').inputValue()) === 'me', 'the last message is corrected');
  await mina.page.keyboard.type(', of course');
  await press('Enter');
  await mina.sees('me, of course');

  await press('Shift+Tab');
  await press('Home');
  await focuses(mina, 'row who is there?');
  await press('Enter');
  await focuses(mina, 'action-react');
  await press('ArrowRight');
  await focuses(mina, 'action-reply');
  await press('Enter');
  await focuses(mina, 'composer');
  await mina.page.keyboard.type('an answer');
  await press('Enter');
  await mina.sees('an answer');
  assert.match(await mina.row('an answer').locator('[data-testid=quote]').innerText(), /who is there\?/);

  await tabTo('account-menu');
  await press('Enter');
  await mina.page.waitForURL('**/settings');
  await tabTo('sign-out');
  await press('Enter');
  await tabTo('confirm');
  await press('Enter');
  await mina.at('join').waitFor();
});

scenario('the focus comes back after the dialog about deleting', async (world) => {
  const { mina } = await roomWithTalk(world);
  const press = (key) => mina.page.keyboard.press(key);
  await mina.at('composer').focus();
  await press('Shift+Tab');
  await focuses(mina, 'row mine');
  for (const answer of ['Escape', 'Enter']) {
    await press('Enter');
    await focuses(mina, 'action-react');
    await press('ArrowRight');
    await press('ArrowRight');
    await focuses(mina, 'message-actions');
    await press('Enter');
    await focuses(mina, 'action-edit');
    await press('ArrowDown');
    await focuses(mina, 'action-delete');
    await press('Enter');
    await mina.at('confirm').waitFor({ state: 'visible' });
    if (answer === 'Enter') await mina.at('confirm').focus();
    await press(answer);
    await mina.at('confirm').waitFor({ state: 'hidden' });
    if (answer === 'Escape') await focuses(mina, 'row mine');
  }
  await mina.seesNo('mine');
  await until(() => mina.page.evaluate(() => document.activeElement.matches('.message--deleted')), 'the focus is on what is left of the message');
});

scenario('the focus stays on its room in the list while messages move rooms', async (world) => {
  const host = await world.apiGuest('jun');
  const [quiet, loud] = [await world.room('quiet'), await world.room('loud')];
  const mina = await world.guest('mina', quiet);
  await mina.say('here');
  await mina.sees('here');
  await mina.openRoom(loud);
  await mina.canWrite();
  await mina.say('there');
  await mina.sees('there');
  await mina.openRoom(quiet);
  await mina.canWrite();
  const link = (room) => mina.view.locator(`.sidebar [data-room-id="${room}"]`);
  await link(loud).waitFor();
  await link(quiet).focus();
  await host.send(quiet, 'news');
  await mina.sees('news');
  await until(async () => await mina.view.locator('.sidebar [data-room-id]').first().getAttribute('data-room-id') === quiet, 'the room is on top');
  assert.equal(await mina.page.evaluate(() => document.activeElement.dataset.roomId), quiet);
});

scenario('the list of people takes the focus and gives it back', async (world) => {
  const { mina } = await roomWithTalk(world);
  await mina.at('who').focus();
  await mina.page.keyboard.press('Enter');
  await focuses(mina, 'Close');
  await mina.page.keyboard.press('Escape');
  await focuses(mina, 'who');
  assert.equal(await mina.view.locator('.roster').count(), 0);
});
