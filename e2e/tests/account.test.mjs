// Accounts: becoming one, signing in and out, and tokens that end.

import assert from 'node:assert/strict';

import { ApiUser, Refused } from '../support/api.mjs';
import { PROVOKED } from '../support/complaints.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';
import { ROOMY } from '../support/servers.mjs';

const PASSWORD = 'correct horse battery staple';
/** Access tokens end this soon, so that a test sees it happen. */
const ACCESS_MS = 15_000;
const { scenario } = world('account', { ...ROOMY, CHAT_ACCESS_TOKEN_MS: String(ACCESS_MS) });

async function register(person, username) {
  await person.at('register-open').filter({ visible: true }).first().click();
  await fillIn(person, username);
  await isDone(person);
}

async function signIn(person, username, password = PASSWORD) {
  await person.open('/sign-in');
  await fillIn(person, username, password);
}

async function fillIn(person, username, password = PASSWORD) {
  await person.at('username').fill(username);
  await person.at('password').first().fill(password);
  await person.at('submit').click();
}

/** The form has led on to another page. */
const isDone = (person) => person.at('submit').waitFor({ state: 'hidden' });

async function openMenu(person) {
  await person.at('account-menu').filter({ visible: true }).first().click();
}

scenario('a guest becomes an account and keeps their messages', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('as a guest');
  await jun.sees('as a guest');

  await openMenu(mina);
  await register(mina, 'mina.kim');
  await mina.openRoom(room);
  await mina.canWrite();
  await mina.say('as an account');

  await jun.shows(['as a guest', 'as an account']);
  const [first, second] = await (await world.apiGuest('reader')).history(room);
  assert.equal(first.author.id, second.author.id);
  assert.equal(first.author.kind, 'account');
});

scenario('an account signs in on another device and sees the same', async (world) => {
  const room = await world.room();
  const mina = await world.person('mina');
  await mina.open('/');
  await register(mina, 'two.devices');
  await mina.openRoom(room);
  await mina.canWrite();
  await mina.say('from the laptop');
  await mina.sees('from the laptop');

  const phone = await world.person('phone', { viewport: { width: 390, height: 800 } });
  await signIn(phone, 'two.devices');
  await isDone(phone);
  await phone.openRoom(room);
  await phone.canWrite();
  await phone.say('from the phone');
  await mina.shows(['from the laptop', 'from the phone']);
  const [first, second] = await (await world.apiGuest('reader')).history(room);
  assert.equal(first.author.id, second.author.id);
});

scenario('a wrong password is refused in words that do not tell which of the two is wrong', async (world) => {
  world.provokes(PROVOKED.refusedRequest);
  const owner = await world.person('owner');
  await owner.open('/');
  await register(owner, 'some.body');

  const stranger = await world.person('stranger');
  const refusal = async (username, password) => {
    await signIn(stranger, username, password);
    const words = await stranger.view.locator('form [role=alert]').innerText();
    assert.equal(new URL(stranger.page.url()).pathname, '/sign-in', 'the stranger is in');
    return words.trim();
  };
  const wrongPassword = await refusal('some.body', 'a wrong but long password');
  const noSuchUser = await refusal('nobody.at.all', PASSWORD);
  assert.match(wrongPassword, /username or password/);
  assert.equal(noSuchUser, wrongPassword);
});

scenario('signing out ends the session on this device', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('before');
  await mina.sees('before');
  const token = await mina.token();
  await openMenu(mina);
  await mina.at('sign-out').filter({ visible: true }).first().click();
  // A guest cannot come back under the name, so they are asked.
  const told = mina.page.waitForResponse((answer) => answer.request().method() === 'DELETE');
  await mina.at('confirm').filter({ visible: true }).click();
  await mina.at('join').first().waitFor();
  assert.equal((await told).ok(), true, 'the server was not told');
  await mina.reload();
  await mina.at('join').first().waitFor();

  const thief = new ApiUser(world.servers.apiDirect, token);
  await assert.rejects(thief.get('/v1/me'), (error) => error instanceof Refused && error.status === 401, 'the session goes on without its owner');
});

scenario('an access token that ends is renewed on the open socket', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('with the first token');
  await mina.sees('with the first token');
  const socket = mina.sockets.find((socket) => !socket.closed);
  const first = await mina.token();
  const renewed = () => socket.sent.some((document) => document.t === 'auth' && document.token !== first);
  await until(() => renewed() && Date.now() > endOf(first), 'the first token is over and was renewed', 2 * ACCESS_MS);
  await mina.say('with a later token');
  await mina.sees('with a later token');
  assert.equal(socket.closed, false, 'the socket was closed');
  assert.equal(mina.sockets.filter((socket) => !socket.closed).length, 1, 'there is another socket');
});

/** When a token ends, in milliseconds since 1970. */
function endOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).exp * 1_000;
}
