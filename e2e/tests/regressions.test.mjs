// What the system that this one replaces got wrong, one test for each lesson. Of lesson 12 the part
// about image tags is a matter of delivery and is tested where the images are.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { ApiUser, Refused, bodyOf } from '../support/api.mjs';
import { PROVOKED } from '../support/complaints.mjs';
import { ROOMY, Servers, freePorts } from '../support/servers.mjs';
import { Wire } from '../support/wire.mjs';
import * as settings from '../support/settings.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

/** The limits of sending are the real ones here; only the number of guests of one address is not. */
const { scenario } = world('regressions', { CHAT_LIMIT_GUESTS: '10000/1s', CHAT_LIMIT_READS: '100000/1s', CHAT_LIMIT_CREATIONS: '1000/1s' });
const CONVERGED_MS = 45_000;

scenario('regression_01_nobody_becomes_somebody_else_by_naming_their_id', async (world) => {
  const mina = await world.apiGuest('mina');
  const room = await mina.createRoom('Who is who');
  await mina.send(room, 'it is me');
  const [message] = await mina.history(room);

  const thief = new ApiUser(world.servers.apiDirect);
  thief.adopt(await thief.post('/v1/guests', { name: 'thief', id: message.author.id, user_id: message.author.id }));
  assert.notEqual(thief.user.id, mina.user.id, 'the server signed an id that the client sent');

  const [header, claims] = mina.token.split('.');
  const plain = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(header, 'base64url')), alg: 'none' })).toString('base64url');
  const forged = [mina.user.id, `${plain}.${claims}.`, `${header}.${claims}.${thief.token.split('.')[2]}`];
  for (const token of forged) {
    const impostor = new ApiUser(world.servers.apiDirect, token);
    await assert.rejects(impostor.send(room, 'it is me, too'), (error) => error instanceof Refused && error.status === 401, token);
  }
  const refresh = new ApiUser(world.servers.apiDirect).post('/v1/sessions/refresh', { refresh_token: mina.user.id });
  await assert.rejects(refresh, (error) => error instanceof Refused && error.status === 401);
  assert.deepEqual((await mina.history(room)).map(bodyOf), ['it is me']);
});

scenario('regression_02_a_page_room_never_shows_the_messages_of_another_page', async (world) => {
  const mina = await world.person('mina');
  await mina.open('/embed/demo/%2Ffirst');
  await mina.join();
  await mina.canWrite();
  await mina.say('only on the first page');
  await mina.sees('only on the first page');
  const jun = await world.person('jun');
  await jun.open('/embed/demo/%2Fsecond');
  await jun.join();
  await jun.canWrite();
  await jun.say('only on the second page');
  await jun.shows(['only on the second page']);
  // What does not belong here would have come before this.
  await mina.say('and that is all');
  await mina.shows(['only on the first page', 'and that is all']);
  await jun.say('the same here');
  await jun.shows(['only on the second page', 'the same here']);

  const reader = await world.apiGuest('reader');
  const sameKey = await reader.post('/v1/pages', { site: 'blog', page: '/first' });
  assert.deepEqual(await reader.history(sameKey.room.id), [], 'a page of another site shows it');
});

scenario('regression_03_reconnecting_appends_nothing_again_and_equal_words_both_show', async (world) => {
  const room = await world.room();
  world.provokes(PROVOKED.lostNetwork);
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('네');
  await mina.say('네');
  await jun.shows(['네', '네']);
  for (let cut = 0; cut < 3; cut += 1) {
    const sockets = jun.sockets.length;
    world.servers.network.drop();
    await until(() => jun.sockets.length > sockets && jun.sockets.at(-1).received.some((document) => document.t === 'subbed'), 'jun is connected again', CONVERGED_MS);
  }
  await mina.say('네');
  await jun.shows(['네', '네', '네'], CONVERGED_MS);
  await jun.seesEachMessageOnce();

  world.servers.network.cut();
  await mina.say('not lost');
  await mina.seesState('not lost', 'sending');
  world.servers.network.mend();
  await jun.shows(['네', '네', '네', 'not lost'], CONVERGED_MS);
});

scenario('regression_04_the_rate_limit_says_when_to_come_back', async (world) => {
  const mina = await world.apiGuest('mina');
  const room = await mina.createRoom('Slowly');
  const outcomes = await Promise.all(Array.from({ length: 12 }, (_, n) => mina.send(room, `quick ${n}`).then(() => 'sent', (error) => error)));
  const refused = outcomes.filter((outcome) => outcome !== 'sent');
  assert.ok(outcomes.length - refused.length <= 6, 'more were let through than the limit');
  assert.ok(refused.length > 0);
  for (const error of refused) {
    assert.equal(error.status, 429);
    assert.equal(error.problem.code, 'rate_limited');
    assert.ok(error.problem.retry_after_ms > 0, 'it does not say when');
    assert.ok(Number(error.headers.get('retry-after')) >= 1, 'there is no Retry-After');
  }

});

scenario('regression_04_a_second_tab_and_a_second_device_share_the_limit', async (world) => {
  const account = { username: 'two.tabs', password: 'correct horse battery staple' };
  const laptop = new ApiUser(world.servers.apiDirect);
  laptop.adopt(await laptop.post('/v1/accounts', account));
  const phone = new ApiUser(world.servers.apiDirect);
  phone.adopt(await phone.post('/v1/sessions', account));
  const room = await laptop.createRoom('Slowly, both of you');
  // A tab shares the session, a device has one of its own.
  const everywhere = [laptop, new ApiUser(world.servers.apiDirect, laptop.token), phone];
  const outcomes = await Promise.all(Array.from({ length: 12 }, (_, n) => everywhere[n % 3].send(room, `quick ${n}`).then(() => 'sent', (error) => error.status)));
  assert.ok(outcomes.filter((outcome) => outcome === 'sent').length <= 6, `more were let through than the limit: ${outcomes}`);
  assert.ok(outcomes.every((outcome) => outcome === 'sent' || outcome === 429), `${outcomes}`);
});

scenario('regression_04_a_person_who_is_too_quick_loses_nothing', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  const said = Array.from({ length: 8 }, (_, n) => `quick ${n}`);
  for (const text of said) await mina.say(text);
  await mina.view.getByText(/^Sent in \d s/).first().waitFor();
  await jun.shows(said, CONVERGED_MS);
  await mina.shows(said, CONVERGED_MS);
});

scenario('regression_05_what_another_person_saw_is_stored_even_if_the_server_dies_at_once', async (world) => {
  world.provokes(PROVOKED.lostNetwork);
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  const reader = await world.person('reader');
  await reader.openRoom(room);
  for (let round = 0; round < 3; round += 1) {
    const said = [`mina ${round}`, `jun ${round}`];
    await Promise.all([mina.say(said[0]), jun.say(said[1])]);
    await until(async () => { const seen = await reader.bodies(); return said.every((text) => seen.includes(text)); }, `the reader sees ${said}`, CONVERGED_MS);
    await world.servers.killBackend();
    await world.servers.startBackend();
  }
  const stored = (await (await world.apiGuest('historian')).history(room)).map(bodyOf);
  assert.equal(stored.length, 6);
  assert.deepEqual(stored, await reader.bodies(), 'it was shown in another order than it was saved');
});

scenario('regression_06_readers_of_history_and_a_reader_who_takes_nothing_stop_nobody', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  const stalled = await Wire.open(world.servers);
  await stalled.follow(room);
  stalled.stopReading();
  const reader = await world.apiGuest('reader');
  let reading = true;
  const readers = Array.from({ length: 20 }, async () => {
    while (reading) await reader.get(`/v1/rooms/${room}/messages?limit=100`);
  });
  try {
    for (const text of ['through', 'the', 'crowd']) {
      await mina.say(text);
      await jun.sees(text, 1, 5_000);
    }
  } finally {
    reading = false;
    await Promise.all(readers);
    stalled.close();
  }
});

scenario('regression_07_the_token_is_in_no_address_and_foreign_origins_are_refused', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('hello');
  await mina.sees('hello');
  await mina.reload();
  await mina.sees('hello');
  const tokens = await secretsOf(mina);
  assert.ok(tokens.length > 0, 'no token was seen at all');
  for (const { url } of [...mina.requests, ...mina.sockets]) {
    assert.ok(!tokens.some((token) => url.includes(token)), `a token is in ${url}`);
  }

  world.provokes(PROVOKED.foreignOrigin);
  world.blog.publish('/foreign', '<p>Foreign.</p>');
  const foreign = await world.person('foreign');
  await foreign.page.goto(`${world.servers.blog}/foreign`);
  const reach = (person) => person.page.evaluate(async (api) => {
    const read = await fetch(`${api}/v1/meta`).then(() => 'read', () => 'refused');
    const socket = new WebSocket(`${api.replace('http', 'ws')}/v1/ws`, 'chat.v1.json');
    const end = await new Promise((resolve) => {
      socket.onmessage = () => resolve('welcome');
      socket.onclose = ({ code }) => resolve(code);
      socket.onopen = () => socket.send(JSON.stringify({ t: 'hello', id: 1, caps: [], client: { name: 'test', build: '0' } }));
    });
    socket.onclose = null;
    socket.close();
    return { read, end };
  }, world.servers.api);
  assert.deepEqual(await reach(mina), { read: 'read', end: 'welcome' }, 'nobody can call the API, so this proves nothing');
  assert.deepEqual(await reach(foreign), { read: 'refused', end: 4504 });
});

scenario('regression_07_a_session_that_has_ended_does_not_reconnect_for_ever', async (world) => {
  world.provokes(PROVOKED.refusedRequest);
  const room = await world.room();
  const mina = await world.person('mina');
  await mina.page.clock.install();
  await mina.openAndJoin(room);
  const tokens = await secretsOf(mina);
  const self = new ApiUser(world.servers.apiDirect, tokens.find((token) => token.split('.').length === 3));
  await self.call('DELETE', '/v1/sessions');
  await until(() => mina.sockets.every((socket) => socket.closed), 'the socket is closed');
  await mina.at('connection-banner').waitFor();

  const tries = mina.sockets.length;
  for (let minute = 0; minute < 30; minute += 1) await mina.page.clock.fastForward('01:00');
  assert.equal(mina.sockets.length, tries, 'it went on trying for half an hour');

  await mina.at('connection-banner').locator('button').click();
  await mina.view.locator('[data-testid=join]:enabled').first().waitFor();
});

scenario('regression_08_ten_guests_who_take_the_offered_name_have_ten_names', async (world) => {
  for (let party = 0; party < 10; party += 1) {
    const guests = await Promise.all(Array.from({ length: 10 }, async () => {
      const visitor = new ApiUser(world.servers.apiDirect);
      const { name } = await visitor.get('/v1/names');
      visitor.adopt(await visitor.post('/v1/guests', { name }));
      return visitor.user.name;
    }));
    assert.equal(new Set(guests).size, 10, `two guests have one name: ${guests}`);
  }
});

scenario('regression_09_somebody_joins_on_a_plain_http_page', async (world) => {
  const room = await world.room();
  const mina = await world.person('mina');
  await mina.openRoom(room);
  const page = await mina.page.evaluate(() => ({ secure: isSecureContext, uuid: typeof crypto.randomUUID, clipboard: typeof navigator.clipboard }));
  assert.deepEqual(page, { secure: false, uuid: 'undefined', clipboard: 'undefined' }, 'this page is trusted, so this proves nothing');
  await mina.join();
  await mina.canWrite();
  await mina.say('joined');
  await mina.sees('joined');
});

scenario('regression_09_somebody_joins_on_an_ip_address', async (world) => {
  const room = await world.room();
  const mina = await world.person('mina');
  await mina.page.goto(`http://127.0.0.1:${world.servers.ports.web}/r/${room}`);
  await mina.isInteractive();
  await mina.join();
  await mina.canWrite();
  await mina.say('joined');
  await mina.sees('joined');
});

scenario('regression_10_without_a_secret_key_the_server_says_so_and_does_not_start', async () => {
  for (const secret of [undefined, '', 'too short']) {
    const [port, admin] = await freePorts(2);
    const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'sarangbang-e2e-'));
    const env = { PATH: process.env.PATH, CHAT_DATA_DIR: dataDir, CHAT_ADDR: `127.0.0.1:${port}`, CHAT_ADMIN_ADDR: `127.0.0.1:${admin}` };
    if (secret !== undefined) env.SECRET_KEY = secret;
    const child = spawn(settings.backend, ['serve'], { env, cwd: dataDir, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stdout.on('data', (text) => { said += text; });
    child.stderr.on('data', (text) => { said += text; });
    const [code] = await once(child, 'close');
    assert.notEqual(code, 0);
    assert.match(said, /SECRET_KEY/, 'it does not name what is missing');
    assert.match(said, /openssl|32/, 'it does not say what to do');
    fs.rmSync(dataDir, { recursive: true });
  }
});

scenario('regression_11_the_api_address_is_set_where_the_front_end_runs_and_cors_lets_it_in', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('across origins');
  await mina.sees('across origins');
  const calls = mina.requests.filter(({ url }) => url.includes('/v1/'));
  assert.ok(calls.length > 0);
  for (const { url } of [...calls, ...mina.sockets]) {
    assert.equal(new URL(url).host, new URL(world.servers.api).host, `${url} is not the configured API`);
  }
  const preflight = (origin) => fetch(`${world.servers.apiDirect}/v1/guests`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' },
  });
  assert.equal((await preflight(world.servers.web)).headers.get('access-control-allow-origin'), world.servers.web);
  assert.equal((await preflight('http://evil.test')).headers.get('access-control-allow-origin'), null);
});

scenario('regression_12_a_load_balancer_that_cuts_idle_connections_cuts_no_socket', async () => {
  const idleMs = 3_000;
  const servers = await Servers.start('regressions-balancer', { ...ROOMY, CHAT_PING_MS: String(idleMs / 3) });
  try {
    servers.network.cutIdle(idleMs);
    const host = await ApiUser.guest(servers, 'host');
    const room = await host.createRoom('Behind a balancer');
    const reader = await Wire.open(servers);
    await reader.follow(room);
    const pings = () => reader.received.filter(({ t }) => t === 'ping').length;
    const before = pings();
    await until(() => pings() >= before + 6, 'the room was quiet for twice as long as the balancer bears', 4 * idleMs);
    assert.equal(reader.closed, false, 'the socket was cut');
    const silent = net.connect(servers.network.port, '127.0.0.1');
    await once(silent, 'close');
    assert.equal(servers.network.idleCuts, 1, 'this balancer cuts nothing, so this proves nothing');
    await host.send(room, 'still there?');
    await until(() => reader.received.some(({ t, change }) => t === 'ev' && change.kind === 'message'), 'the message comes through');
  } finally {
    await servers.stop();
  }
});

scenario('regression_13_a_reader_who_scrolled_up_is_not_thrown_to_the_bottom', async (world) => {
  const host = await world.apiGuest('historian');
  const room = await host.createRoom('A story');
  const tall = Array.from({ length: 30 }, (_, line) => `line ${line}`).join('\n');
  for (let n = 0; n < 4; n += 1) await host.send(room, `${n}\n${tall}`);
  const mina = await world.guest('mina', room);
  await mina.row(/^3/).waitFor();
  const place = () => mina.page.evaluate(() => {
    let box = document.querySelector('[role=log] [data-testid=message]');
    while (!(box.scrollHeight > box.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(box).overflowY))) box = box.parentElement;
    return { top: box.scrollTop, below: box.scrollHeight - box.clientHeight - box.scrollTop };
  });
  await mina.row(/^1/).evaluate((row) => row.scrollIntoView({ block: 'start' }));
  await until(async () => (await place()).below > 500, 'mina is far from the end');
  const before = await place();
  await host.send(room, 'something new');
  await mina.at('new-messages').waitFor({ state: 'visible' });
  assert.ok(Math.abs((await place()).top - before.top) <= 1, 'the reader was moved');
});

scenario('regression_14_no_data_of_people_is_in_the_repository', async () => {
  const files = execFileSync('git', ['ls-files'], { cwd: settings.root, encoding: 'utf8' }).split('\n');
  const dumps = files.filter((file) => /\.(db|sqlite3?|dump|bak|jsonl|ndjson|csv)(\.gz)?$|(^|\/)data\//.test(file));
  // A database may be there for a test only where it has no table but the list of its migrations.
  const tables = (file) => fs.readFileSync(path.join(settings.root, file), 'latin1').match(/CREATE TABLE \w+/g) ?? [];
  const others = dumps.filter((file) => !/\/tests\/.*\.db$/.test(file) || tables(file).join() !== 'CREATE TABLE _sqlx_migrations');
  assert.deepEqual(others, []);
  const ignored = execFileSync('git', ['check-ignore', 'data/chat.db', 'data/dev-secret-key'], { cwd: settings.root, encoding: 'utf8' });
  assert.equal(ignored.trim().split('\n').length, 2, 'the data directory is not ignored');
});

/** Every token that this person's browser has sent. */
async function secretsOf(person) {
  const bearer = person.requests.map(({ headers }) => headers.authorization?.replace('Bearer ', ''));
  const socket = person.sockets.flatMap(({ sent }) => sent.map((document) => document.token));
  return [...new Set([...bearer, ...socket].filter(Boolean))];
}
