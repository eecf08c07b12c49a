// The main screens, for a person to look at, and what an accessibility checker says about them.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { isWellMade } from '../support/axe.mjs';
import * as settings from '../support/settings.mjs';
import { until } from '../support/until.mjs';
import { world } from '../support/world.mjs';

const { scenario } = world('screens');

const LOOKS = ['ko', 'en'].flatMap((lang) => ['light', 'dark'].flatMap((theme) => [360, 1280].map((width) => ({ lang, theme, width }))));

const TALK = {
  ko: [['mina', '오늘 저녁에 다들 올 수 있어요?'], ['jun', '네! 7시쯤 도착해요 🙌'], ['mina', '좋아요. 주소는 어제랑 같아요'], ['서연', '저는 조금 늦어요, 먼저 시작하세요'], ['jun', '`README.md` 고쳤어요, 한번 봐 주세요: https://example.org/readme']],
  en: [['mina', 'Can everybody make it tonight?'], ['jun', 'Yes! I will be there around seven 🙌'], ['mina', 'Great. Same place as yesterday'], ['서연', 'I am a little late, start without me'], ['jun', 'I updated `README.md`, have a look: https://example.org/readme']],
};

async function visitor(world, { lang, theme, width }) {
  return world.person('visitor', {
    locale: lang === 'ko' ? 'ko-KR' : 'en-US',
    timezoneId: 'Asia/Seoul',
    colorScheme: theme,
    hasTouch: width < 500,
    viewport: { width, height: width < 500 ? 740 : 800 },
  });
}

async function keep(person, screen, { lang, theme, width }) {
  fs.mkdirSync(settings.screens, { recursive: true });
  await person.page.evaluate(() => document.fonts.ready);
  await person.page.screenshot({ path: path.join(settings.screens, `${screen}-${lang}-${theme}-${width}.png`), animations: 'disabled' });
}

async function roomWithTalk(world, lang) {
  const host = await world.apiGuest('host');
  const room = await host.createRoom(lang === 'ko' ? '저녁 모임' : 'Dinner tonight');
  const people = new Map();
  for (const [name, body] of TALK[lang]) {
    if (!people.has(name)) people.set(name, await world.apiGuest(name));
    await people.get(name).send(room, body);
  }
  const history = await host.history(room);
  await people.get('jun').call('PUT', `/v1/rooms/${room}/messages/${history[0].id}/reactions`, { emoji: '👍', on: true });
  await people.get('서연').call('PUT', `/v1/rooms/${room}/messages/${history[0].id}/reactions`, { emoji: '👍', on: true });
  return room;
}

for (const look of LOOKS) {
  const title = `${look.lang}, ${look.theme}, ${look.width} px`;

  scenario(`the lobby is well made: ${title}`, async (world) => {
    const person = await visitor(world, look);
    await person.open('/');
    await keep(person, 'lobby', look);
    await isWellMade(person, 'lobby', look);
    assert.equal(await person.page.locator('html').getAttribute('lang'), look.lang);
  });

  scenario(`signing in is well made: ${title}`, async (world) => {
    const person = await visitor(world, look);
    await person.open('/');
    await person.at('signin-open').filter({ visible: true }).first().click();
    await person.at('password').first().waitFor();
    await keep(person, 'sign-in', look);
    await isWellMade(person, 'sign-in', look);
  });

  scenario(`a room is well made: ${title}`, async (world) => {
    const room = await roomWithTalk(world, look.lang);
    const person = await visitor(world, look);
    await person.openRoom(room);
    await person.join(look.lang === 'ko' ? '지우' : 'visitor');
    await person.canWrite();
    await until(async () => (await person.rows()).length >= TALK[look.lang].length, 'the talk is there');
    await keep(person, 'room', look);
    await isWellMade(person, 'room', look);
  });

  scenario(`an embed is well made: ${title}`, async (world) => {
    const page = `/screens-${look.lang}-${look.theme}-${look.width}`;
    const host = await world.apiGuest('host');
    const summary = await host.post('/v1/pages', { site: 'blog', page, title: 'An article' });
    for (const [, body] of TALK[look.lang]) await host.send(summary.room.id, body);
    world.blog.publish(page, `<p>An article.</p><iframe src="${world.servers.web}/embed/blog/${encodeURIComponent(page)}?theme=${look.theme}&lang=${look.lang}" title="Chat" style="width:100%;height:520px;border:0"></iframe>`);
    const person = await visitor(world, look);
    await person.page.goto(world.servers.blog + page);
    person.view = person.page.locator('iframe').contentFrame();
    await person.isInteractive();
    await until(async () => (await person.rows()).length >= TALK[look.lang].length, 'the talk is there');
    await keep(person, 'embed', look);
    await isWellMade(person, 'embed', look);
  });
}
