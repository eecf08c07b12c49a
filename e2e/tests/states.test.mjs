// What an accessibility checker says about the states that a screen has only for a moment: dialogs,
// menus, banners, refusals. In both themes.

import { isWellMadeInBothThemes } from '../support/axe.mjs';
import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('states');
const PASSWORD = 'correct horse battery staple';

/** An account with a private room of its own, in which something was said. */
async function host(world, name) {
  const person = await world.person(name, { viewport: { width: 1280, height: 800 } });
  await person.open('/register');
  await person.at('username').fill(name);
  await person.at('password').fill(PASSWORD);
  await isWellMadeInBothThemes(person, 'register');
  await person.at('submit').click();
  await person.at('create-room').filter({ visible: true }).first().click();
  await person.at('new-room-name').fill('A private room');
  await person.view.getByRole('radio', { name: /Invited/ }).check({ force: true });
  await isWellMadeInBothThemes(person, 'the dialog of a new room');
  await person.at('new-room-name').press('Enter');
  await person.page.waitForURL(/\/r\/[0-9a-f-]{36}$/);
  await person.canWrite();
  await person.say('hello');
  await person.sees('hello');
  return person;
}

scenario('the dialogs and menus of a room are well made', async (world) => {
  const mina = await host(world, 'mina.states');
  await mina.at('invite').click();
  await until(async () => (await mina.at('invite-link').inputValue()) !== '', 'the link is made');
  await isWellMadeInBothThemes(mina, 'the dialog of an invitation');
  await mina.page.keyboard.press('Escape');

  await mina.act('hello', 'action-react');
  await isWellMadeInBothThemes(mina, 'the emoji of a message');
  await mina.row('hello').getByRole('button', { name: '🎉', exact: true }).first().click();
  await mina.at('reaction').waitFor();
  await mina.row('hello').hover();
  await mina.row('hello').locator('[data-testid=message-actions]').click();
  await mina.at('action-edit').filter({ visible: true }).waitFor();
  await isWellMadeInBothThemes(mina, 'the menu of a message');
  await mina.at('action-delete').filter({ visible: true }).click();
  await mina.at('confirm').filter({ visible: true }).waitFor();
  await isWellMadeInBothThemes(mina, 'the question before a deletion');
  await mina.page.keyboard.press('Escape');

  await mina.act('hello', 'action-reply');
  await mina.at('composer').fill('x'.repeat(4_001));
  await mina.at('who').first().click();
  await mina.view.getByRole('heading', { name: 'People' }).waitFor();
  await isWellMadeInBothThemes(mina, 'an answer that is too long, beside the people');
});

scenario('a room that is cut off, with what is not sent, is well made', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const owner = await world.apiGuest('landlord');
  const room = await owner.createRoom('Cut off');
  const mina = await world.guest('mina', room);
  world.servers.network.cut();
  await mina.say('on its way');
  await mina.seesState('on its way', 'sending');
  await mina.at('connection-banner').waitFor();
  await isWellMadeInBothThemes(mina, 'the banner');
  await owner.call('PATCH', `/v1/rooms/${room}`, { read_only: true });
  world.servers.network.mend();
  await mina.seesState('on its way', 'failed', 45_000);
  await isWellMadeInBothThemes(mina, 'a message that was not sent, in a room that is read-only');
});

scenario('settings and refusals are well made', async (world) => {
  world.provokes(PROVOKED.notFound);
  world.provokes(PROVOKED.refusedRequest);
  const mina = await world.person('mina');
  await mina.open('/settings');
  await isWellMadeInBothThemes(mina, 'the settings of a visitor');
  await mina.open('/register');
  await mina.at('username').fill('mina.settings');
  await mina.at('password').fill('short');
  await mina.at('submit').click();
  await mina.view.getByRole('alert').first().waitFor();
  await isWellMadeInBothThemes(mina, 'a refused registration');
  await mina.at('password').fill(PASSWORD);
  await mina.at('submit').click();
  await mina.at('submit').waitFor({ state: 'hidden' });
  await mina.open('/settings');
  await mina.view.getByText('This device').waitFor();
  await isWellMadeInBothThemes(mina, 'the settings of an account');
  await mina.view.getByRole('button', { name: 'Sign out everywhere' }).click();
  await mina.at('confirm').filter({ visible: true }).waitFor();
  await isWellMadeInBothThemes(mina, 'the question before signing out');
  await mina.open('/r/00000000-0000-4000-8000-000000000000');
  await mina.view.getByText('Could not open the room').waitFor();
  await isWellMadeInBothThemes(mina, 'a room that cannot be opened');
  await mina.open('/nowhere');
  await mina.view.getByText('This page does not exist').waitFor();
  await isWellMadeInBothThemes(mina, 'the page for an address that names nothing');
});
