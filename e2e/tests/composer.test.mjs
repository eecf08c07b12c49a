// What is written is never lost, and what is sent is sent once.

import assert from 'node:assert/strict';

import { compose } from '../support/ime.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('composer');

/** Opens a room whose module does not come before `release` is called. */
async function openBeforeItIsAlive(person, room) {
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  await person.page.route(/\.wasm$/, async (route) => {
    await held;
    await route.continue();
  });
  await person.page.goto(`${person.servers.web}/r/${room}`, { waitUntil: 'commit' });
  await person.at('composer').waitFor({ state: 'visible' });
  return release;
}

const holds = (person, text) => until(
  async () => await person.at('composer').inputValue().catch(() => null) === text,
  async () => `the composer holds ${JSON.stringify(text)}; it holds ${JSON.stringify(await person.at('composer').inputValue().catch(() => null))}`,
);

scenario('what is typed before the page is alive is kept, and Enter there neither sends nor reloads', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const release = await openBeforeItIsAlive(mina, room);
  let loads = 0;
  mina.page.on('framenavigated', () => { loads += 1; });
  await mina.at('composer').pressSequentially('early');
  await mina.at('composer').press('Enter');
  await mina.at('composer').pressSequentially('bird');
  release();
  await until(() => mina.at('send').isEnabled(), 'the button knows of the text');
  assert.equal(await mina.at('composer').inputValue(), 'early\nbird');
  assert.equal(loads, 0, 'the page was loaded again');
  await mina.at('composer').press('Enter');
  await mina.shows(['early\nbird']);
});

scenario('a visitor who typed before the page was alive finds the text after joining', async (world) => {
  const room = await world.room();
  const jun = await world.person('jun');
  const release = await openBeforeItIsAlive(jun, room);
  await jun.at('composer').pressSequentially('may I?');
  release();
  await jun.join();
  await holds(jun, 'may I?');
  await jun.at('composer').press('Enter');
  await jun.sees('may I?');
});

scenario('a draft survives a reload right after the last letter, and ends when it is sent', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.at('composer').pressSequentially('half a thought');
  await mina.reload();
  await holds(mina, 'half a thought');
  await mina.at('composer').press('Enter');
  await mina.sees('half a thought');
  await mina.reload();
  await mina.canWrite();
  await mina.sees('half a thought');
  assert.equal(await mina.at('composer').inputValue(), '');
});

scenario('the button sends Hangul in composition once and whole, and nothing of it stays', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.at('composer').focus();
  await mina.view.locator('body').evaluate(() => {
    const field = document.querySelector('textarea');
    globalThis.seen = [];
    for (const name of ['compositionstart', 'compositionend']) field.addEventListener(name, () => globalThis.seen.push(name));
    // The text is taken when the field is emptied: by then the input method has let go of it.
    const value = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value');
    Object.defineProperty(field, 'value', {
      get() { return value.get.call(this); },
      set(text) { globalThis.seen.push(`set ${JSON.stringify(text)}`); value.set.call(this, text); },
    });
  });

  const session = await compose(mina, ['ㅎ', '하', '한']);
  await session.send('Input.insertText', { text: '한' });
  await compose(mina, ['ㄱ', '그', '글']);
  await mina.at('send').click();

  await jun.shows(['한글']);
  await mina.shows(['한글']);
  await holds(mina, '');
  const events = await mina.view.locator('body').evaluate(() => globalThis.seen);
  assert.deepEqual(events.slice(-2), ['compositionend', 'set ""'], `the field was emptied under the input method: ${events}`);
  assert.equal(await mina.at('composer').evaluate((field) => document.activeElement === field), true, 'the field lost the focus');
});
