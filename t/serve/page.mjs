// What a person does on the pages of `aigw serve`. Its one argument is JSON:
// where (origin), who (link, invite, name, password), and pictures (a folder,
// or nothing). Prints JSON: what was seen.
import { chromium } from 'playwright-core';

const arg = JSON.parse(process.env.PAGE);
const seen = { console: [], foreign: [] };
const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium-headless-shell',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
        '--no-proxy-server'],
});
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });

page.setDefaultTimeout(20000);
page.on('console', m => seen.console.push(`${m.type()}: ${m.text()}`));
page.on('pageerror', e => seen.console.push(e.message));
page.on('dialog', d => { seen.console.push('a dialog'); d.dismiss(); });
page.on('request', r => {
    if (!r.url().startsWith(arg.origin + '/') && !/^data:/.test(r.url())) {
        seen.foreign.push(r.url());
    }
});

async function picture(name) {
    if (arg.pictures) {
        await page.screenshot({ path: `${arg.pictures}/${name}.png` });
    }
}

async function home(name) {
    await page.waitForSelector('#home:not([hidden])');
    await picture(name);
    return { who: await page.textContent('#who'),
        projects: await page.$$eval('#projects tr', rows => rows.map(
            row => [...row.cells].map(cell => cell.textContent))) };
}

async function logout() {
    await page.click('#logout');
    await page.waitForSelector('#login:not([hidden])');
}

async function login(form, fields) {
    for (const [name, value] of Object.entries(fields)) {
        await page.fill(`#${form} input[name=${name}]`, value);
    }
    await page.click(`#${form} button`);
}

// by a link, which sets a password
await page.goto(`${arg.origin}/admin/login#${arg.link}`);
await login('link', { password: arg.password });
seen.link = await home('home');
seen.cookie = await page.evaluate('document.cookie');
await logout();

// by that password; a wrong one first
await login('login', { name: arg.name, password: 'not the password' });
await page.waitForSelector('#message:not([hidden])');
seen.wrong = await page.textContent('#message');
await picture('wrong');
await login('login', { name: arg.name, password: arg.password });
seen.login = await home('login');
await page.reload();
seen.again = await home('again');

// the API page: log in there, try a route
await page.goto(`${arg.origin}/docs`);
await page.waitForSelector('.opblock');
await page.click('.authorize');
await page.waitForSelector('.modal-ux');
await picture('authorize');
await page.fill('.modal-ux input[name=username], .modal-ux #oauth_username',
    arg.name);
await page.fill('.modal-ux input[type=password]', arg.password);
await page.click('.modal-ux .auth-btn-wrapper .authorize');
await page.waitForSelector('.modal-ux .btn-done');
await page.waitForSelector('.modal-ux button:has-text("Logout")');
await page.click('.modal-ux .btn-done');
await page.click('#operations-user-user_list .opblock-summary-control');
await page.click('.try-out__btn');
await page.click('.execute');
await page.waitForSelector('.live-responses-table .response .highlight-code');
seen.tried = await page.textContent(
    '.live-responses-table .response .highlight-code');
seen.status = (await page.textContent(
    '.live-responses-table .response .response-col_status')).trim();
await picture('docs');

// somebody who is invited
await page.context().clearCookies();
await page.goto(`${arg.origin}/admin/join#${arg.invite}`);
await login('join', { name: 'guest', password: 'a guest from elsewhere' });
seen.join = await home('join');

console.log(JSON.stringify(seen));
await browser.close();
