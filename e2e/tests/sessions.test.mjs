// One person in several places: two tabs of a browser, two browsers, and being signed out elsewhere.

import assert from 'node:assert/strict';

import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('sessions');
const PASSWORD = 'correct horse battery staple';

async function register(person, username) {
  await person.open('/register');
  await fillIn(person, username);
}

async function signIn(person, username) {
  await person.open('/sign-in');
  await fillIn(person, username);
}

async function fillIn(person, username) {
  await person.at('username').fill(username);
  await person.at('password').fill(PASSWORD);
  await person.at('submit').click();
  await person.at('account-menu').filter({ visible: true }).first().waitFor();
}

/** The page says that the session is over and lets nobody write. */
async function isSignedOut(person) {
  await person.at('connection-banner').or(person.at('join')).filter({ visible: true }).first().waitFor();
  await until(() => person.sockets.every(({ received, closed }) => closed || received.every(({ t, user }) => t !== 'welcome' || !user)), `${person.name}'s socket is closed`);
  await person.reload();
  await person.at('join').filter({ visible: true }).first().waitFor();
}

scenario('two tabs of one guest are both live, and show nothing twice', async (world) => {
  const room = await world.room();
  const jun = await world.guest('jun', room);
  const first = await world.guest('mina', room);
  const second = await world.tabOf(first, 'mina, second tab');
  await second.openRoom(room);
  await second.canWrite();

  await jun.say('to both tabs');
  await first.say('from the first tab');
  await second.sees('from the first tab');
  await second.say('from the second tab');
  for (const person of [jun, first, second]) {
    await person.shows(['to both tabs', 'from the first tab', 'from the second tab']);
    await person.seesEachMessageOnce();
  }
  const history = await (await world.apiGuest('reader')).history(room);
  assert.equal(history[1].author.id, history[2].author.id, 'the tabs are two guests');
});

scenario('what was read in one tab is read in the other', async (world) => {
  const room = await world.room();
  const jun = await world.guest('jun', room);
  const first = await world.guest('mina', room);
  await first.say('I am a member now');
  await first.sees('I am a member now');
  const second = await world.tabOf(first, 'mina, second tab');
  const badge = second.view.locator(`.sidebar [data-room-id="${room}"] .badge`);
  await first.open('/');
  await jun.say('unread by now');
  await jun.sees('unread by now');
  await second.open('/');
  await badge.waitFor();

  await first.openRoom(room);
  await first.sees('unread by now');
  await until(() => first.sockets.some(({ sent }) => sent.some(({ t, number }) => t === 'read' && number === 2)), 'the first tab has read it');
  await until(async () => {
    await second.reload();
    await second.view.locator(`.sidebar [data-room-id="${room}"]`).waitFor();
    return (await badge.count()) === 0;
  }, 'it is read in the second tab too');
  await second.openRoom(room);
  await second.sees('unread by now');
  assert.equal(await second.at('unread-divider').count(), 0, 'the second tab shows it as unread');
});

scenario('signing out in one tab ends the other', async (world) => {
  world.provokes(PROVOKED.refusedRequest);
  const room = await world.room();
  const first = await world.guest('mina', room);
  await first.say('hello');
  await first.sees('hello');
  const second = await world.tabOf(first, 'mina, second tab');
  await second.openRoom(room);
  await second.canWrite();
  await first.at('account-menu').filter({ visible: true }).first().click();
  await first.at('sign-out').click();
  await first.at('confirm').filter({ visible: true }).click();
  await first.at('join').filter({ visible: true }).first().waitFor();
  await isSignedOut(second);
});

scenario('a tab that another one signed out says so at once, and keeps what was typed', async (world) => {
  world.provokes(PROVOKED.refusedRequest);
  const room = await world.room();
  const first = await world.guest('mina', room);
  const second = await world.tabOf(first, 'mina, second tab');
  await second.open('/settings');
  await first.at('composer').fill('half a thou');
  await second.at('sign-out').click();
  await second.at('confirm').filter({ visible: true }).click();
  await first.view.getByText('You have been signed out on this device.').waitFor();
  assert.equal(await first.at('composer').count(), 0, 'a composer that sends nothing is left');
  assert.equal(await first.view.getByText('mina', { exact: true }).filter({ visible: true }).count(), 0, 'the old name is left');
  await first.at('join-name').fill('mina again');
  await first.at('join').click();
  await first.canWrite();
  await until(async () => (await first.at('composer').inputValue()) === 'half a thou', 'the text is there');
});

scenario('a session that is ended from another device closes there, and only there', async (world) => {
  world.provokes(PROVOKED.refusedRequest);
  const room = await world.room();
  const laptop = await world.person('laptop');
  await register(laptop, 'one.of.two');
  const phone = await world.person('phone', { userAgent: 'Mozilla/5.0 (Android 16; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0' });
  await signIn(phone, 'one.of.two');
  await phone.openRoom(room);
  await phone.canWrite();
  await phone.say('from the phone');
  await phone.sees('from the phone');

  await laptop.open('/settings');
  const end = laptop.view.getByRole('button', { name: 'Sign out Firefox · Android' });
  await laptop.view.getByText('This device').waitFor();
  await end.click();
  await end.waitFor({ state: 'detached' });
  await isSignedOut(phone);

  await laptop.openRoom(room);
  await laptop.canWrite();
  await laptop.say('still here');
  await laptop.sees('still here');
});

const isGreeted = (person, name) => until(() => person.sockets.some(({ received, closed }) => !closed && received.some(({ t, user }) => t === 'welcome' && user?.name === name)), `${person.name} is greeted as ${name}`);

scenario('when a guest becomes an account in one tab, the other goes on with that account', async (world) => {
  world.provokes(PROVOKED.refusedRequest);
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const first = await world.guest('nari', room);
  await first.say('as a guest');
  await first.sees('as a guest');
  const second = await world.tabOf(first, 'nari, second tab');
  await second.openRoom(room);
  await second.canWrite();
  await register(first, 'in.two.tabs');
  await first.openRoom(room);
  await second.say('as an account, from the other tab');
  await first.sees('as an account, from the other tab');

  // A new socket of the second tab begins with what it knows, a token of the guest's session.
  const before = second.sockets.length;
  world.servers.network.drop();
  await until(() => second.sockets.length > before, 'the second tab connects anew');
  await isGreeted(second, 'nari');
  await second.canWrite();
  await second.say('and on another socket');
  await first.sees('and on another socket');
  assert.equal(await second.at('connection-banner').count(), 0);
  const authors = (await (await world.apiGuest('reader')).history(room)).map(({ author }) => author.id);
  assert.equal(new Set(authors).size, 1);
});

scenario('a tab whose session was ended goes on with the login that another tab begins', async (world) => {
  world.provokes(PROVOKED.refusedRequest);
  const room = await world.room();
  const owner = await world.person('owner');
  await register(owner, 'comes.next');
  const first = await world.guest('mina', room);
  const second = await world.tabOf(first, 'mina, second tab');
  await second.openRoom(room);
  await second.canWrite();
  await first.at('account-menu').filter({ visible: true }).first().click();
  await first.at('sign-out').click();
  await first.at('confirm').filter({ visible: true }).click();
  await first.at('join').filter({ visible: true }).first().waitFor();
  await second.at('join').filter({ visible: true }).first().waitFor();
  await signIn(first, 'comes.next');
  await second.canWrite();
  assert.equal(await second.at('connection-banner').count(), 0);
  await second.say('from the other tab');
  await second.sees('from the other tab');
  const [said] = await (await world.apiGuest('reader')).history(room);
  assert.equal(said.author.name, 'comes.next');
});

scenario('a socket that is closed as revoked comes back where there is a login that lives', async (world) => {
  const room = await world.room();
  const mina = await world.person('mina');
  let sockets = 0;
  // As when the server looks the session up in the moment in which another tab exchanges it.
  await mina.page.routeWebSocket(/\/v1\/ws$/, (socket) => {
    sockets += 1;
    const first = sockets === 1;
    socket.connectToServer().onMessage((text) => {
      socket.send(text);
      if (first && text.includes('the moment')) socket.close({ code: 4501, reason: 'revoked' });
    });
  });
  await mina.openAndJoin(room);
  await (await world.apiGuest('jun')).send(room, 'the moment');
  await until(() => sockets === 2, 'there is another socket');
  await mina.say('still me');
  await mina.shows(['the moment', 'still me']);
  assert.equal(await mina.at('connection-banner').count(), 0);
});
