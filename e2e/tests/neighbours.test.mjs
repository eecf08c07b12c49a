// What people do, once through and with everything that pages ask a server for: the script that
// `cargo xtask release-check` runs with each side in the other's release. Today's script goes with today's
// front end, and the released one with the released front end, so it may follow the pages as they change.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { bodyOf } from '../support/api.mjs';
import { PROVOKED } from '../support/complaints.mjs';
import { ROOMY } from '../support/servers.mjs';
import { root, withNeighbour } from '../support/settings.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const PASSWORD = 'correct horse battery staple';
/** Access tokens end this soon, so that pages renew theirs. */
const ACCESS_MS = 15_000;
const { scenario } = world('neighbours', { ...ROOMY, CHAT_ACCESS_TOKEN_MS: String(ACCESS_MS) });

/** What no page asks for: pages do it over the socket, and programs without one ask for it. */
const NOT_OF_PAGES = [
  'get_meta', 'get_room', 'update_room', 'join_room', 'send_message', 'edit_message', 'delete_message', 'react', 'pin_message', 'mark_read',
];
/** What the front end's server asks for, where no browser sees it. */
const OF_THE_SERVER = ['get_site'];
/** What no page says over the socket. */
const NOT_SAID = ['pin'];
/** What is said only after a minute or half of one, or when something was missed: others hold these to account. */
const SAID_IN_TIME = ['mode', 'pong', 'probe', 'sync'];

scenario('people join, talk in Korean, edit, react and take back', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);

  await mina.say('안녕하세요 👋');
  await jun.say('반가워요, 미나 씨');
  for (const person of [mina, jun]) await person.shows(['안녕하세요 👋', '반가워요, 미나 씨']);

  await mina.act('안녕하세요', 'action-edit');
  await until(async () => (await mina.at('composer').inputValue()) === '안녕하세요 👋', 'the text to edit is in the composer');
  await mina.say('안녕하세요, 여러분');
  await jun.sees('안녕하세요, 여러분');

  await jun.act('안녕하세요', 'action-react');
  await jun.row('안녕하세요').getByRole('button', { name: '👍', exact: true }).first().click();
  await mina.row('안녕하세요').locator('[data-testid=reaction]', { hasText: '👍' }).waitFor();

  await jun.act('반가워요', 'action-delete');
  await jun.at('confirm').filter({ visible: true }).click();
  await mina.seesNo('반가워요, 미나 씨');
});

scenario('who was cut off sends what waited, and misses nothing', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const jun = await world.apiGuest('jun');
  const mina = await world.guest('mina', room);
  await mina.say('하나');
  await mina.sees('하나');

  world.servers.network.cut();
  await mina.say('셋');
  await mina.seesState('셋', 'sending');
  await jun.send(room, '둘');
  world.servers.network.mend();

  await mina.shows(['하나', '둘', '셋'], 45_000);
  await mina.seesEachMessageOnce();
  assert.deepEqual((await jun.history(room)).map(bodyOf), ['하나', '둘', '셋']);
});

scenario('a restart of the back end is survived, and what came meanwhile is unread', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const jun = await world.apiGuest('jun');
  const mina = await world.guest('mina', room);
  await mina.say('나 왔어요');
  await mina.sees('나 왔어요');

  await world.servers.stopBackend();
  await world.servers.startBackend();
  await mina.say('아직 있어요');
  await mina.shows(['나 왔어요', '아직 있어요'], 45_000);

  await mina.open('/');
  await jun.send(room, '새 소식');
  await mina.openRoom(room);
  await mina.sees('새 소식');
  await mina.at('unread-divider').waitFor();
  await mina.reload();
  await mina.shows(['나 왔어요', '아직 있어요', '새 소식']);
});

scenario('rooms are made, entered by invitation, talked about in private, and left', async (world) => {
  // The shell asks for the newest messages before the page knows who reads.
  world.provokes(PROVOKED.notFound);
  const mina = await world.lobbyGuest('mina');
  await mina.at('create-room').filter({ visible: true }).first().click();
  await mina.at('new-room-name').fill('비밀의 방');
  await mina.view.getByRole('radio', { name: /Invited/ }).check({ force: true });
  await mina.at('new-room-name').press('Enter');
  await mina.page.waitForURL(/\/r\/[0-9a-f-]{36}$/);
  await mina.canWrite();
  const room = mina.page.url().split('/').at(-1);
  await mina.say('어서 와요');
  await mina.at('invite').click();
  const link = await until(() => mina.at('invite-link').inputValue(), 'the link is made');

  const jun = await world.person('jun');
  await jun.open(link);
  await jun.join();
  await jun.page.waitForURL(`**/r/${room}`);
  await jun.canWrite();
  await jun.act('어서 와요', 'action-reply');
  await jun.at('composer').pressSequentially('고마워요');
  await jun.at('composer').press('Enter');
  await mina.view.locator('[data-testid=quote]').waitFor();

  await mina.open('/');
  await mina.at('new-direct').click();
  await mina.at('sought').fill('jun');
  await mina.at('person').filter({ hasText: 'jun' }).click();
  await mina.page.waitForURL((url) => /\/r\/[0-9a-f-]{36}$/.test(url.pathname) && !url.pathname.endsWith(room));
  await mina.canWrite();
  await mina.say('우리끼리');
  await jun.view.locator('.sidebar').getByText('mina').click();
  await jun.sees('우리끼리');

  await jun.openRoom(room);
  await jun.at('who').click();
  await jun.at('leave').click();
  await jun.view.locator('dialog[open] [data-testid=confirm]').click();
  await jun.page.waitForURL(/\/$/);
  await until(async () => (await jun.view.locator(`.sidebar [data-room-id="${room}"]`).count()) === 0, 'the room is gone from the list');
});

scenario('a page of another site has a room', async (world) => {
  world.blog.publish('/article', `<script async src="${world.servers.web}/embed.js" data-site="blog"></script>`);
  const mina = await (await world.person('mina')).visit('/article');
  const jun = await (await world.person('jun')).visit('/article');
  await mina.join();
  await mina.canWrite();
  await mina.say('좋은 글이네요');
  await jun.sees('좋은 글이네요');
});

scenario('a guest becomes an account, which has several devices and another password one day', async (world) => {
  world.provokes(PROVOKED.refusedRequest);
  const room = await world.room();
  const laptop = await world.guest('mina', room);
  await laptop.say('손님으로');
  await laptop.sees('손님으로');
  await laptop.open('/register');
  await fillIn(laptop, PASSWORD);
  const phone = await world.person('phone', { userAgent: 'Mozilla/5.0 (Android 16; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0' });
  await phone.open('/sign-in');
  await fillIn(phone, PASSWORD);
  await phone.openRoom(room);
  await phone.canWrite();
  await phone.say('전화로');
  await phone.shows(['손님으로', '전화로']);

  await laptop.open('/settings');
  const end = laptop.view.getByRole('button', { name: 'Sign out Firefox · Android' });
  await end.click();
  await end.waitFor({ state: 'detached' });
  await phone.at('connection-banner').or(phone.at('join')).filter({ visible: true }).first().waitFor();

  await laptop.view.locator('#password-current').fill(PASSWORD);
  await laptop.view.locator('#password-new').fill(`another ${PASSWORD}`);
  await laptop.view.locator('#password-new').press('Enter');
  await laptop.view.locator('form [role=status]').waitFor();
  const ended = laptop.page.waitForResponse((answer) => answer.url().endsWith('/v1/sessions/current'));
  await laptop.at('sign-out').filter({ visible: true }).last().click();
  await laptop.at('join').first().waitFor();
  await ended;
  await laptop.open('/sign-in');
  await fillIn(laptop, `another ${PASSWORD}`);
  await laptop.open('/settings');
  await laptop.view.getByText('This device').waitFor();
  await laptop.view.getByRole('button', { name: 'Sign out everywhere' }).click();
  await laptop.at('confirm').filter({ visible: true }).click();
  await laptop.at('join').first().waitFor();
});

scenario('who stays longer than a token lives notices nothing', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const socket = mina.sockets.find(({ closed }) => !closed);
  const first = await mina.token();
  const renewed = () => socket.sent.some(({ t, token }) => t === 'auth' && token !== first);
  await until(renewed, 'the token is renewed', 2 * ACCESS_MS);
  await mina.say('여전히 여기');
  await mina.sees('여전히 여기');
  assert.equal(socket.closed, false, 'the socket was closed');
});

// A pair of releases cannot show this: one of the two may be without something that the other has.
if (!withNeighbour) {
  scenario('nothing that pages ask for was left out', async (world) => {
    const schema = JSON.parse(fs.readFileSync(path.join(root, 'crates/chat-types/schema/chat.v1.json'), 'utf8'));
    const asked = ({ method, path }) => [...world.asked].some((request) => template(`${method} ${path}`).test(request));
    const missing = Object.entries(schema.endpoints).filter(([, endpoint]) => !asked(endpoint)).map(([name]) => name);
    assert.deepEqual(missing.sort(), [...NOT_OF_PAGES, ...OF_THE_SERVER].sort());
    const commands = schema.$defs.Command.oneOf.map(({ properties }) => properties.t.const);
    const unsaid = commands.filter((name) => !world.said.has(name) && !SAID_IN_TIME.includes(name));
    assert.deepEqual(unsaid.sort(), NOT_SAID.sort());
  });
}

async function fillIn(person, password) {
  await person.at('username').fill('mina.kim');
  await person.at('password').fill(password);
  await person.at('submit').click();
  await person.at('account-menu').filter({ visible: true }).first().waitFor();
}

/** The paths that a template such as `/v1/rooms/{room}` stands for. */
const template = (path) => new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
