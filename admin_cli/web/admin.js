// Logging in, and what one has. All that is shown is set as text.
'use strict';

const $ = id => document.getElementById(id);
let csrf = null;

function say(text) {
    $('message').textContent = text;
    $('message').hidden = !text;
}

function show(id) {
    for (const part of ['login', 'link', 'join', 'home']) {
        $(part).hidden = part !== id;
    }
    $('logout').hidden = id !== 'home';
    $(id).querySelector('input')?.focus();
}

// The answer; its error as an exception with the text for people.
async function call(method, path, body) {
    const headers = csrf ? { 'X-CSRF-Token': csrf } : {};
    if (body) {
        headers['Content-Type'] = 'application/json';
    }
    const r = await fetch('/admin/api' + path,
        { method, headers, body: body && JSON.stringify(body) });
    if (r.status === 204) {
        return null;
    }
    const answer = await r.json();
    if (!r.ok) {
        const e = new Error(answer.error.message
            + (answer.error.hint ? ' (' + answer.error.hint + ')' : ''));
        e.status = r.status;
        throw e;
    }
    return answer;
}

function cell(row, text, number) {
    const td = row.insertCell();
    td.textContent = text;
    td.className = number ? 'n' : '';
}

async function home() {
    const me = await call('GET', '/me');
    csrf = me.csrf_token;
    const list = await call('GET', '/projects');
    $('who').textContent = `${me.name} (${me.role})`;
    $('projects').replaceChildren();
    for (const p of list.items) {
        const row = $('projects').insertRow();
        cell(row, p.name);
        cell(row, p.user);
        cell(row, p.spent, true);
        cell(row, p.quota ?? 'unlimited', true);
        cell(row, p.active ? 'active' : 'off');
        cell(row, p.expires_at
            ? new Date(p.expires_at).toLocaleString() : 'never');
    }
    if (!list.items.length) {
        const td = $('projects').insertRow().insertCell();
        td.colSpan = 6;
        td.textContent = 'No projects yet.';
    }
    $('more').hidden = list.next === null;
    say('');
    show('home');
}

function start() {
    if (location.hash.length > 1) {
        show(location.pathname.endsWith('/join') ? 'join' : 'link');
        return;
    }
    home().catch(e => {
        if (e.status !== 401) {
            say(e.message);
        }
        show('login');
    });
}

function on(form, path, body) {
    $(form).addEventListener('submit', async event => {
        event.preventDefault();
        const button = $(form).querySelector('button');
        button.disabled = true;
        try {
            await call('POST', path,
                { cookie: true, ...body(new FormData($(form))) });
            history.replaceState(null, '', '/admin/');
            $(form).reset();
            await home();
        } catch (e) {
            say(e.message);
        }
        button.disabled = false;
    });
}

on('login', '/login', f => ({ name: f.get('name'),
    password: f.get('password') }));
on('link', '/login/link', f => ({ token: location.hash.slice(1),
    ...(f.get('password') ? { password: f.get('password') } : {}) }));
on('join', '/register', f => ({ name: f.get('name'),
    password: f.get('password'), invite: location.hash.slice(1) }));
$('logout').addEventListener('click', async () => {
    await call('POST', '/logout').catch(e => say(e.message));
    csrf = null;
    show('login');
});
start();
