// What people type reaches others as text, or is refused with a reason; never as markup or script.

import assert from 'node:assert/strict';

import { ApiUser, Refused, uuid7 } from '../support/api.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('hostile');

const TEXTS = [
  '<img src=x onerror="window.harmed=1">',
  '<script>window.harmed=1</script>',
  '"><svg onload=window.harmed=1>',
  "javascript:window.harmed=1",
  '[a link](javascript:window.harmed=1)',
  '`<b>code</b>` **bold** _italic_ &lt;b&gt; &amp;',
  '{{constructor.constructor("window.harmed=1")()}}',
];

async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
}

scenario('bodies full of markup are text for everybody', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  for (const text of TEXTS) await mina.say(text);
  await until(async () => (await jun.rows()).filter((row) => row.state === 'sent').length === TEXTS.length, 'jun has all of them');
  for (const person of [mina, jun]) {
    const harm = await person.page.evaluate(() => ({
      harmed: window.harmed ?? null,
      elements: document.querySelectorAll('[role=log] :is(script, img[src="x"], svg[onload], iframe, object)').length,
      links: [...document.querySelectorAll('[role=log] a[href]')].map((link) => link.protocol).filter((protocol) => !/^https?:$|^mailto:$/.test(protocol)),
    }));
    assert.deepEqual(harm, { harmed: null, elements: 0, links: [] });
  }
  assert.deepEqual(await jun.bodies(), TEXTS, 'the markup is not shown as it was written');
});

scenario('a link opens without telling where it came from or taking over the page', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('see https://example.org/a?b=c#d');
  const link = mina.view.locator('[role=log] a[href="https://example.org/a?b=c#d"]');
  await link.waitFor();
  assert.match(await link.getAttribute('rel'), /\bnoopener\b.*\bnoreferrer\b/);
  assert.equal(await link.getAttribute('target'), '_blank');
});

scenario('an address that reads otherwise than it leads is no link, and a host in other letters is named', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const lies = 'https://example.org/\u202Egnp.exe http://user:pw@example.org';
  await mina.say(lies);
  await mina.sees(lies);
  assert.equal(await mina.row(lies).locator('a').count(), 0);
  // Cyrillic letters that look like those of apple.com.
  await mina.say('https://\u0430\u0440\u0440\u04CF\u0435.com/x');
  await mina.view.getByText('(xn--80ak6aa92e.com)').waitFor();
});

scenario('a message as high as several screens is folded until it is asked for', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const lines = Array.from({ length: 60 }, (_, at) => `line ${at}`);
  const height = () => mina.row('line 1').evaluate((row) => row.getBoundingClientRect().height);
  await (await world.apiGuest('jun')).send(room, lines.join('\n'));
  const more = mina.at('show-more');
  await more.waitFor();
  assert.ok(await height() < 600, `${await height()} pixels`);
  await until(() => mina.isInView('line 1'), 'the end is still shown');
  await more.click();
  await more.waitFor({ state: 'detached' });
  assert.ok(await height() > 1_000, `${await height()} pixels`);
  assert.ok(await mina.row('line 1').evaluate((row) => row === document.activeElement), 'the focus is lost');
  await (await world.apiGuest('jun')).send(room, 'short');
  await mina.sees('short');
  assert.equal(await more.count(), 0);
});

scenario('marks that are stacked on a letter paint over nothing else', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  await mina.say('before');
  await mina.say(`a${'\u0301'.repeat(8)}`);
  await mina.sees('before');
  assert.equal(await mina.row('before').locator('.message__bubble').evaluate((bubble) => getComputedStyle(bubble).overflow), 'clip');
});

scenario('nicknames that lie or break out are refused with a reason', async (world) => {
  const visitor = new ApiUser(world.servers.apiDirect);
  const reasonFor = async (name) => {
    const error = await refusal(visitor.post('/v1/guests', { name }));
    assert.equal(error.status, 422, name);
    assert.equal(error.problem.field, 'name');
    return error.problem.reason;
  };
  assert.equal(await reasonFor('\u202Eanim'), 'forbidden_character');
  assert.equal(await reasonFor('mi\u0000na'), 'forbidden_character');
  assert.equal(await reasonFor('a'), 'too_short');
  assert.equal(await reasonFor('abcdefghijklmnop'), 'too_long');
  assert.equal(await reasonFor('admin'), 'reserved');
  assert.equal(await reasonFor('аdmin'), 'reserved');
  assert.equal(await reasonFor('   '), 'empty');
});

scenario('a nickname of markup is shown as text', async (world) => {
  const room = await world.room();
  const name = '<b>x</b>';
  const mina = await world.guest(name, room);
  const jun = await world.guest('jun', room);
  await mina.say('who am I?');
  await jun.sees('who am I?');
  assert.match(await jun.row('who am I').innerText(), /<b>x<\/b>/);
});

scenario('4,000 characters are a message, 4,001 and a NUL are refused with a reason', async (world) => {
  const mina = await world.apiGuest('mina');
  const room = await mina.createRoom('Limits');
  await mina.send(room, '가'.repeat(4_000));
  const tooLong = await refusal(mina.send(room, '가'.repeat(4_001)));
  assert.deepEqual([tooLong.status, tooLong.problem.field, tooLong.problem.reason], [422, 'body', 'too_long']);
  const control = await refusal(mina.send(room, 'a\u0000b'));
  assert.deepEqual([control.status, control.problem.field, control.problem.reason], [422, 'body', 'forbidden_character']);
});

scenario('a body that turns the writing direction turns only itself', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const jun = await world.guest('jun', room);
  await mina.say('\u202Eevil');
  const body = jun.row('evil').locator('[data-testid=body]');
  await body.waitFor();
  const isolation = await body.evaluate((element) => {
    const isolated = (node) => ['isolate', 'plaintext', 'isolate-override'].includes(getComputedStyle(node).unicodeBidi);
    return isolated(element) || [...element.children].every(isolated);
  });
  assert.ok(isolation, 'the direction leaks out of the body');
});

scenario('a person who writes 4,001 characters is told and loses nothing', async (world) => {
  const room = await world.room();
  const mina = await world.guest('mina', room);
  const long = 'x'.repeat(4_001);
  await mina.at('composer').fill(long);
  await mina.at('composer').press('Enter');
  await mina.at('refusal').waitFor();
  assert.equal(await mina.at('composer').inputValue(), long, 'the text is gone');
  assert.deepEqual(await mina.rows(), [], 'it was sent');
  assert.match(await mina.at('refusal').innerText(), /1 character/, 'it does not say how much is too much');
});

scenario('a name that looks like another one in the room is not that one', async (world) => {
  const room = await world.room();
  const mina = await world.guest('modern', room);
  const other = await world.guest('rnodern', room);
  await mina.say('I am modern');
  await other.say('me too');
  await mina.sees('me too');
  const [first, second] = await (await world.apiGuest('reader')).history(room);
  assert.notEqual(first.author.id, second.author.id);
  assert.equal(first.author.name, 'modern');
  assert.match(second.author.name, /^rnodern \d+$/, 'the second one has nothing that tells the two apart');
});

scenario('a body that was sent under one id cannot be exchanged for another', async (world) => {
  const mina = await world.apiGuest('mina');
  const room = await mina.createRoom('Retries');
  const id = uuid7();
  const sent = await mina.send(room, 'once', id);
  const again = await mina.send(room, 'once', id);
  assert.equal(again.id, sent.id);
  assert.equal(again.duplicate, true);
  const changed = await refusal(mina.send(room, 'twice', id));
  assert.deepEqual([changed.status, changed.problem.code], [409, 'conflict']);
  assert.equal((await mina.history(room)).length, 1);
});
