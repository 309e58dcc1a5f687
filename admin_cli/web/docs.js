/*
 * The API page: Swagger UI over the document that lies beside it. It asks no
 * other origin, and keeps what is typed into it no longer than it is open.
 */

(function () {
    'use strict';

    const DOCUMENT = 'openapi.json';
    const dark = window.matchMedia('(prefers-color-scheme: dark)');


    function paint() {
        document.documentElement.classList.toggle('dark-mode', dark.matches);
    }


    // The browser sends the cookie by itself, and no script can set it: there
    // is nothing to fill in.
    function withoutCookie(api) {
        const schemes = api.components.securitySchemes;

        for (const path of Object.values(api.paths)) {
            for (const operation of Object.values(path)) {
                operation.security = operation.security?.filter(
                    (scheme) => !('cookie' in scheme));
            }
        }

        delete schemes.cookie;
        delete schemes.csrf;

        return api;
    }


    function show(api) {
        api.info.description += `\n\n[The OpenAPI document](${DOCUMENT})`;

        window.ui = SwaggerUIBundle({
            spec: withoutCookie(api),
            dom_id: '#ui',
            validatorUrl: null,
            queryConfigEnabled: false,
            deepLinking: true,
            filter: true,
            docExpansion: 'list',
            defaultModelsExpandDepth: 0,
            displayRequestDuration: true,
            persistAuthorization: false,
        });
    }


    function fail(error) {
        const note = document.createElement('p');

        note.className = 'note';
        note.textContent = `${DOCUMENT} cannot be read: ${error.message}`;
        document.getElementById('ui').append(note);
    }


    paint();
    dark.addEventListener('change', paint);

    fetch(DOCUMENT)
        .then((answer) => {
            if (!answer.ok) {
                throw new Error(`status ${answer.status}`);
            }

            return answer.json();
        })
        .then(show)
        .catch(fail);
}());
