// Language, theme, titles, and the page for an address that names nothing.

import assert from 'node:assert/strict';

import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('looks');

const background = (person) => person.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
const language = (person) => person.page.locator('html').getAttribute('lang');

scenario('the language is the browser\'s, until somebody chooses another, on every page from then on', async (world) => {
  const mina = await world.person('mina', { locale: 'ko-KR' });
  await mina.open('/');
  assert.equal(await language(mina), 'ko');
  await mina.view.getByText('게스트로 시작하기').waitFor();
  await mina.at('lang').first().selectOption('en');
  await mina.view.getByText('Join as a guest').waitFor();
  assert.equal(await mina.view.getByText('게스트로 시작하기').count(), 0);
  await mina.reload();
  await mina.view.getByText('Join as a guest').waitFor();
  await mina.open('/sign-in');
  await mina.view.getByText('Good to see you again.').waitFor();
  assert.equal(await language(mina), 'en');
});

scenario('the theme is the device\'s, until somebody chooses another, on every page from then on', async (world) => {
  const mina = await world.person('mina', { colorScheme: 'light' });
  await mina.open('/settings');
  const light = await background(mina);
  await mina.page.emulateMedia({ colorScheme: 'dark' });
  await until(async () => (await background(mina)) !== light, 'the page is dark as the device');
  const dark = await background(mina);
  await mina.page.emulateMedia({ colorScheme: 'light' });
  await until(async () => (await background(mina)) === light, 'the page is light as the device');

  await mina.at('theme').selectOption('dark');
  await until(async () => (await background(mina)) === dark, 'the page is dark as chosen');
  await mina.reload();
  assert.equal(await background(mina), dark, 'the choice is forgotten');
  await mina.open('/');
  assert.equal(await background(mina), dark, 'the choice is of one page');
  await mina.open('/settings');
  await mina.at('theme').selectOption('auto');
  await until(async () => (await background(mina)) === light, 'the page is as the device again');
});

scenario('an address that names nothing is answered with 404, in words, with a way back', async (world) => {
  world.provokes(PROVOKED.notFound);
  const mina = await world.person('mina');
  for (const path of ['/nowhere', '/r/not-a-room', '/embed/blog']) {
    const answer = await fetch(`http://127.0.0.1:${world.servers.ports.web}${path}`);
    assert.equal(answer.status, 404, path);
  }
  await mina.open('/nowhere');
  await mina.view.getByText('This page does not exist').waitFor();
  await mina.view.getByRole('link', { name: 'Back to the lobby' }).click();
  await mina.page.waitForURL(`${world.servers.web}/`);
  await mina.at('join').waitFor();
});
