// What the system that this one replaces got wrong, one test for each lesson (see docs and
// ARCHITECTURE.md). Lesson 12, image tags and load balancers, is a matter of delivery and is tested
// where the images and manifests are.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { ApiUser, Refused, bodyOf } from '../support/api.mjs';
import { freePorts } from '../support/servers.mjs';
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

  const asToken = new ApiUser(world.servers.apiDirect, mina.user.id);
  await assert.rejects(asToken.send(room, 'it is me, too'), (error) => error instanceof Refused && error.status === 401);
  const refresh = new ApiUser(world.servers.apiDirect).post('/v1/sessions/refresh', { refresh_token: mina.user.id });
  await assert.rejects(refresh, (error) => error instanceof Refused && error.status === 401);
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
  await mina.shows(['only on the first page']);
});

scenario('regression_03_reconnecting_appends_nothing_again_and_equal_words_both_show', async (world) => {
  const room = await world.room();
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

scenario('regression_04_the_rate_limit_says_when_to_come_back_and_a_second_tab_does_not_double_it', async (world) => {
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

  // The same user in another tab: a session of its own would be another user, so the same tokens.
  const otherTab = new ApiUser(world.servers.apiDirect, mina.token);
  await assert.rejects(otherTab.send(room, 'from another tab'), (error) => error.status === 429);
});

scenario('regression_04_a_person_who_is_too_quick_loses_nothing', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  const said = Array.from({ length: 8 }, (_, n) => `quick ${n}`);
  for (const text of said) await mina.say(text);
  await jun.shows(said, CONVERGED_MS);
  await mina.shows(said, CONVERGED_MS);
});

scenario('regression_05_what_another_person_saw_is_stored_even_if_the_server_dies_at_once', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  for (let round = 0; round < 4; round += 1) {
    await mina.say(`round ${round}`);
    await until(async () => (await jun.bodies()).includes(`round ${round}`), `jun sees round ${round}`, CONVERGED_MS);
    await world.servers.killBackend();
    await world.servers.startBackend();
  }
  const stored = (await (await world.apiGuest('reader')).history(room)).map(bodyOf);
  assert.deepEqual(stored, ['round 0', 'round 1', 'round 2', 'round 3']);
});

scenario('regression_06_readers_of_history_and_a_reader_who_takes_nothing_stop_nobody', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  const stalled = await stalledSocket(world);
  const reader = await world.apiGuest('reader');
  let reading = true;
  const readers = Array.from({ length: 20 }, async () => {
    while (reading) await reader.get(`/v1/rooms/${room}/messages?limit=100`);
  });
  try {
    await mina.say('through the crowd');
    await jun.sees('through the crowd', 1, 5_000);
  } finally {
    reading = false;
    await Promise.all(readers);
    stalled.destroy();
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

  world.blog.publish('/foreign', '<p>Foreign.</p>');
  const foreign = await world.person('foreign');
  await foreign.page.goto(`${world.servers.blog}/foreign`);
  const outcome = await foreign.page.evaluate(async (api) => {
    const read = await fetch(`${api}/v1/meta`).then(() => 'read', () => 'refused');
    const socket = new WebSocket(`${api.replace('http', 'ws')}/v1/ws`, 'chat.v1.json');
    const closed = await new Promise((resolve) => { socket.onclose = (event) => resolve(event.code); });
    return { read, closed };
  }, world.servers.api);
  assert.equal(outcome.read, 'refused');
  assert.ok([4504, 1006].includes(outcome.closed), `the socket was closed with ${outcome.closed}`);
});

scenario('regression_07_a_session_that_has_ended_does_not_reconnect_for_ever', async (world) => {
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
  assert.deepEqual(dumps, []);
  const ignored = execFileSync('git', ['check-ignore', 'data/chat.db', 'data/dev-secret-key'], { cwd: settings.root, encoding: 'utf8' });
  assert.equal(ignored.trim().split('\n').length, 2, 'the data directory is not ignored');
});

/** Every token that this person's browser has sent. */
async function secretsOf(person) {
  const bearer = person.requests.map(({ headers }) => headers.authorization?.replace('Bearer ', ''));
  const socket = person.sockets.flatMap(({ sent }) => sent.map((document) => document.token));
  return [...new Set([...bearer, ...socket].filter(Boolean))];
}

/** A connection that asks for the socket and never reads an answer. */
async function stalledSocket(world) {
  const socket = net.connect(world.servers.ports.api, '127.0.0.1');
  await once(socket, 'connect');
  socket.pause();
  const host = new URL(world.servers.api).host;
  socket.write(`GET /v1/ws HTTP/1.1\r\nhost: ${host}\r\norigin: ${world.servers.web}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: chat.v1.json\r\n\r\n`);
  socket.on('error', () => {});
  return socket;
}
