/** wangge's viewer: grids, who answers for them, incidents and their density, on one map. */

import { AccountMenu } from './account.js';
import { Api, Refusal } from './api.js';
import { Colouring, refused } from './colouring.js';
import { fill, h } from './dom.js';
import { Duplicates } from './duplicates.js';
import { either, language, loadWords, number, setLanguage, setZone, t } from './i18n.js';
import { densityQuestion, showDensity } from './layers/density.js';
import { gridmapQuestion, showGridmap, tellGridmap } from './layers/gridmap.js';
import { classOf } from './layers/grids.js';
import { hotspotQuestion, showHotspots } from './layers/hotspots.js';
import { COLOURINGS, LAYERS } from './layers/index.js';
import { GPUInitializationError, GridMap } from './map.js';
import { Panel } from './panel.js';
import { latestMonth, moments } from './period.js';
import { PlacePanel, problemBox } from './place.js';
import { QueuePanel } from './queue.js';
import { rememberLanguage } from './remembered.js';
import { RepeatsPanel } from './repeats.js';
import { ReportForm } from './report.js';
import { SignIn, rememberEnded } from './signin.js';
import { readState, writeState } from './state.js';
import { TaskCard } from './tasks.js';

const files = new URL('.', import.meta.url);
// The page lies at '/', or under the prefix that a proxy puts before it; these files one below.
const api = new Api(new URL('..', files));
const state = readState(location.hash);

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);

/** A moment's message, also read aloud. @param {string} text */
function say(text) {
  element('status').textContent = text;
}

/** @param {any[]} children a card over the map: loading, empty, refused */
function cover(...children) {
  fill(element('over'), children.length > 0 && h('div', { class: 'cover' }, ...children));
}

/**
 * @param {any} meta
 * @param {{onlanguage: () => void, onlayers: () => void, onhelp: () => void, account?: AccountMenu, queue?: QueuePanel | null}} events
 */
function drawHeader(meta, { onlanguage, onlayers, onhelp, account, queue }) {
  const name = either(meta?.name) || t('app.title');
  document.title = meta?.demo ? `${name} · ${t('app.demo')}` : `${name} · ${t('app.title')}`;
  fill(element('header'),
    h('a', { class: 'skip', href: '#', onclick: (/** @type {Event} */ event) => {
      event.preventDefault();
      /** @type {any} */ (document.querySelector('.maplibregl-canvas'))?.focus();
    } }, t('app.skip')),
    h('h1', {}, name),
    meta?.demo && h('span', { class: 'demo', title: t('app.demo_title') }, t('app.demo')),
    h('span', { class: 'space' }),
    meta && h('button', { type: 'button', id: 'show-panel', 'aria-controls': 'panel', onclick: onlayers }, t('app.layers')),
    queue?.button(),
    meta && h('button', { type: 'button', id: 'help', onclick: onhelp, title: t('app.help'), 'aria-label': t('app.help') }, '?'),
    h('button', {
      type: 'button', id: 'language', onclick: onlanguage, title: t('app.language_title'),
      lang: language() === 'zh' ? 'en' : 'zh-CN',
    }, t('app.language')),
    account?.button());
}

/**
 * TileJSON of every layer that the rights allow; one that the server does not have is left out.
 * @param {string[]} allowed
 */
async function readTilesets(allowed) {
  const names = [...new Set(LAYERS.flatMap(({ tiles }) => tiles))].filter((name) => allowed.includes(name));
  const found = await Promise.allSettled(names.map((name) => api.get(`tiles/${name}`)));
  /** @type {Map<string, any>} */
  const tilesets = new Map();
  found.forEach((one, index) => {
    if (one.status === 'fulfilled') tilesets.set(names[index], one.value);
    else if (!(one.reason instanceof Refusal) || ![401, 403, 404].includes(one.reason.status)) throw one.reason;
  });
  return tilesets;
}

async function start() {
  await loadWords(files);
  setLanguage(state.language);
  const early = { onlanguage: () => switchTo(), onlayers: () => {}, onhelp: () => {} };
  const switchTo = () => {
    state.language = language() === 'zh' ? 'en' : 'zh';
    setLanguage(state.language);
    rememberLanguage(state.language);
    drawHeader(null, early);
    signIn.draw();
  };
  const signIn = new SignIn(element('main'), api);
  drawHeader(null, early);
  try {
    const session = await signIn.session();
    cover(h('p', { class: 'loading' }, t('app.loading')));
    api.onended = () => {
      rememberEnded();
      location.reload();
    };
    const [meta, tilesets, style] = await Promise.all([
      api.get('api/v1/meta'),
      readTilesets(session.tilesets),
      fetch(new URL('style.json', files)).then((answer) => answer.json()),
    ]);
    setZone(meta.timezone);
    run(meta, tilesets, style, session);
  } catch (error) {
    cover(problemBox(error), h('button', { type: 'button', class: 'primary', onclick: () => location.reload() }, t('app.retry')));
  }
}

/**
 * @param {any} meta
 * @param {Map<string, any>} tilesets
 * @param {any} style
 * @param {any} session who is signed in
 */
function run(meta, tilesets, style, session) {
  const may = (/** @type {string} */ right) => session.rights.includes(right);
  const fresh = state.view === null;
  state.period ??= latestMonth(meta);
  let round = 0;
  /** @type {AbortController | null} */
  let heatAsked = null;
  let takingIncident = false;

  /** @type {GridMap} */
  let grids;
  try {
    grids = new GridMap(element('map'), style, { bounds: meta.bbox, view: state.view });
  } catch (error) {
    if (!(error instanceof GPUInitializationError)) throw error;
    cover(h('p', { class: 'problem', role: 'alert' }, t('map.no_gpu')));
    return;
  }
  const { map } = grids;
  // For the console and for tests that drive the page.
  Object.assign(globalThis, { wangge: { map } });

  // Who sees no incidents is shown the last finished quarter.
  const period = () => tilesets.has('incidents')
    ? moments(state.period ?? { preset: '12m' }, meta.now)
    : { start: null, end: null };
  const filters = () => ({
    ...period(),
    category: state.categories ? [...state.categories].sort() : null,
  });
  const nothingChosen = () => state.categories?.size === 0;

  const saveState = () => history.replaceState(null, '', writeState(state));

  const available = new Set(
    LAYERS.filter(({ tiles }) => tiles.every((name) => tilesets.has(name))).map(({ id }) => id),
  );
  if (!tilesets.has('incidents') || !may('heatmaps.read')) {
    for (const id of COLOURINGS) if (id !== 'gridmap') available.delete(id);
  }
  if (!may('heatmaps.read')) available.delete('gridmap');
  // Along streets single incidents are seen.
  if (may('incidents.read')) for (const per of tilesets.has('barriers') ? ['inhabited', 'streets'] : ['inhabited']) available.add(per);
  if (['streets', 'inhabited'].includes(state.per) && !available.has(state.per)) state.per = 'km2';
  state.layers = new Set([...state.layers].filter((id) => available.has(id)));
  const panel = new Panel(element('panel'), state, meta, available, {
    onlayers: () => {
      grids.setVisible(state.layers);
      if (state.layers.has('density')) drawDensity();
      else showDensity(map, null, api, undefined);
      if (state.layers.has('hotspots')) spots.draw();
      else spots.hide();
      if (state.layers.has('gridmap')) gridmap.draw();
      else gridmap.hide();
      saveState();
    },
    onperiod: () => refilter(),
    oncategories: () => refilter(),
    onbandwidth: () => refilter(),
    onmethod: () => {
      saveState();
      spots.draw();
    },
    onmeasure: () => {
      saveState();
      gridmap.draw();
    },
    href: (path) => api.url(`${path}?language=${language()}`).href,
    onrepeats: may('incidents.detail') ? () => repeats.open() : null,
    onclose: () => headerEvents.onlayers(),
  });

  const place = new PlacePanel(element('place'), api, {
    meta,
    filters,
    onanswer: ({ grid }) => grids.choose(grid?.id ?? null),
    onclose: () => {
      grids.choose(null);
      grids.mark(null);
      document.body.classList.remove('place-open');
    },
    onadd: may('incidents.report') ? (point, accuracy) => form.open(point, accuracy) : null,
    duplicates: may('incidents.detail')
      ? new Duplicates(api, {
        merges: may('incidents.step'),
        onmerged: () => {
          round += 1;
          refilter();
        },
      })
      : null,
  });

  const repeats = new RepeatsPanel(element('repeats'), api, map, {
    question: () => {
      if (nothingChosen()) return null;
      const asked = filters();
      // All there is: without a beginning, the last 90 days would be meant.
      return { ...asked, start: asked.start ?? meta.incidents.first };
    },
    categoryName: (code) => place.categoryName(code),
    onopen: () => {
      if (tasks.isOpen) tasks.close();
      if (place.isOpen) place.close();
      if (queue?.isOpen) queue.close();
      document.body.classList.add('place-open');
      document.body.classList.remove('panel-open');
    },
    onclose: () => {
      document.body.classList.remove('place-open');
      document.getElementById('repeats-open')?.focus();
    },
    onlook: (point) => grids.keepClear(point, element('repeats')),
  });

  const queue = may('incidents.step') && may('grids.read')
    ? new QueuePanel(element('queue'), api, map, {
      meta,
      onopen: () => {
        if (tasks.isOpen) tasks.close();
        if (place.isOpen) place.close();
        if (repeats.isOpen) repeats.close();
        document.body.classList.add('place-open');
        document.body.classList.remove('panel-open');
      },
      onclose: () => document.body.classList.remove('place-open'),
      onplaced: () => {
        round += 1;
        refilter();
      },
      still: () => grids.still,
    })
    : null;

  const dialog = h('dialog', { id: 'form' });
  document.body.append(dialog);
  const form = new ReportForm(dialog, api, meta, (stored) => {
    round += 1;
    meta.incidents.count += 1;
    meta.incidents.last = stored.reported_at;
    meta.incidents.first ??= stored.reported_at;
    panel.switch('incidents', true);
    refilter();
  });

  const tasks = new TaskCard(element('over'), (task) => {
    takingIncident = task === 'incident';
    if (task === 'density') {
      panel.switch('density', true);
      document.body.classList.add('panel-open');
      document.getElementById('legend-density')?.scrollIntoView({ block: 'center' });
    } else {
      say(t(task === 'who' ? 'tasks.click_who' : 'tasks.click_incident'));
    }
  }, [
    may('grids.read') && 'who',
    may('grids.read') && may('incidents.report') && 'incident',
    available.has('density') && 'density',
  ].filter((one) => typeof one === 'string'));

  const headerEvents = {
    account: new AccountMenu(api, session),
    queue,
    onlanguage: () => {
      state.language = language() === 'zh' ? 'en' : 'zh';
      setLanguage(state.language);
      rememberLanguage(state.language);
      redraw();
      // A refusal is written by the server, in the language it was asked in.
      if (state.layers.has('density') && panel.heat.problem) drawDensity();
      if (state.layers.has('hotspots') && panel.spots.problem) spots.draw();
      if (state.layers.has('gridmap') && panel.byGrid.problem) gridmap.draw();
      document.getElementById('language')?.focus();
      saveState();
    },
    onlayers: () => {
      const open = document.body.classList.toggle('panel-open');
      element('show-panel').setAttribute('aria-expanded', String(open));
      element('show-panel').focus();
    },
    onhelp: () => tasks.open(),
  };

  function redraw() {
    say('');
    drawHeader(meta, headerEvents);
    drawMapButtons();
    panel.draw();
    tasks.draw();
    grids.setLanguage(language());
    if (place.isOpen) place.again();
    if (queue?.isOpen) queue.draw();
    if (repeats.isOpen) repeats.draw();
  }

  function drawMapButtons() {
    document.querySelector('.map-buttons')?.remove();
    element('map').append(h('div', { class: 'map-buttons' },
      may('grids.read') && h('button', { type: 'button', id: 'ask-centre', onclick: askCentre }, t('app.centre')),
      grids.home && h('button', { type: 'button', id: 'whole', onclick: () => grids.home && grids.fit(grids.home) }, t('app.whole'))));
  }

  /** @param {{lon: number, lat: number}} point @param {any[]} [features] */
  function ask(point, features = []) {
    if (!may('grids.read')) {
      say(t('account.no_grids'));
      return Promise.resolve();
    }
    say('');
    if (repeats.isOpen) repeats.close();
    document.body.classList.add('place-open');
    document.body.classList.remove('panel-open');
    grids.mark(point);
    return place.ask(point, features).then(() => {
      grids.keepClear(point, element('place'));
      if (takingIncident) element('add-incident')?.focus();
      takingIncident = false;
    });
  }

  function askCentre() {
    const { lon, lat } = grids.view;
    ask({ lon, lat }, grids.under(map.project([lon, lat])))
      .then(() => /** @type {any} */ (element('place').querySelector('h2'))?.focus());
  }

  // -- incidents and density ------------------------------------------------------------------

  const incidentQuery = () => ({
    ...filters(),
    // No category chosen is no incident, not every one.
    ...(nothingChosen() ? { category: ['none'] } : {}),
    ...(round > 0 ? { round } : {}),
  });

  function refilter() {
    saveState();
    grids.refresh('incidents', incidentQuery());
    if (repeats.isOpen) repeats.read();
    if (state.layers.has('density')) drawDensity();
    if (state.layers.has('hotspots')) spots.draw();
    if (state.layers.has('gridmap')) gridmap.draw();
    return available.has('incidents') ? countAll() : Promise.resolve();
  }

  /** How many there are in the period, in view or not. */
  async function countAll() {
    panel.figures.total = null;
    panel.update();
    try {
      panel.figures.total = nothingChosen()
        ? 0
        : (await api.get('api/v1/incidents', { ...filters(), limit: 1 })).count;
      panel.update();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      say(`${t('error.refused')} ${refused(error)}`);
    }
  }

  async function drawDensity() {
    heatAsked?.abort();
    heatAsked = new AbortController();
    const { signal } = heatAsked;
    panel.heat = { loading: true, surface: null, problem: null };
    panel.update();
    try {
      const { path, query } = densityQuestion(state, period());
      const surface = nothingChosen() ? null : await api.get(path, query, { signal });
      if (signal.aborted || !state.layers.has('density')) return;
      showDensity(map, surface, api, grids.aboveDensity);
      panel.heat = { loading: false, surface, problem: null };
    } catch (error) {
      if (/** @type {Error} */ (error).name === 'AbortError') return;
      if (!(error instanceof Refusal)) throw error;
      showDensity(map, null, api, undefined);
      panel.heat = {
        loading: false,
        surface: null,
        problem: refused(error),
      };
    }
    panel.update();
  }

  const spots = new Colouring(api, {
    question: () => (nothingChosen() ? null : hotspotQuestion(state, period())),
    show: (found) => showHotspots(map, found, grids.aboveDensity),
    tell: (told) => {
      panel.spots = told;
      panel.update();
    },
  });
  const gridmap = new Colouring(api, {
    question: () => (nothingChosen() ? null : gridmapQuestion(state, period())),
    show: (found) => showGridmap(map, found, grids.aboveDensity),
    tell: (told) => {
      panel.byGrid = told;
      panel.update();
    },
  });

  function count() {
    const seen = grids.inView();
    /** @type {Map<string, number>} */
    const classes = new Map();
    for (const { deviation } of seen.grids) {
      const key = classOf(deviation);
      classes.set(key, (classes.get(key) ?? 0) + 1);
    }
    panel.figures.grids = classes;
    panel.figures.incidents = state.layers.has('incidents') ? seen.incidents : null;
    panel.update();
  }

  // -- wiring ---------------------------------------------------------------------------------

  map.on('click', (/** @type {any} */ { point, lngLat }) => {
    if (tasks.isOpen) tasks.close();
    if (queue?.isOpen) return queue.point({ lon: lngLat.lng, lat: lngLat.lat });
    return ask({ lon: lngLat.lng, lat: lngLat.lat }, grids.under(point));
  });
  map.getCanvas().addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Enter') return;
    if (queue?.isOpen) {
      // The same press must not push the button that the focus goes to.
      event.preventDefault();
      queue.point(grids.view);
    } else {
      askCentre();
    }
  });
  addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || dialog.open) return;
    if (tasks.isOpen) tasks.close();
    else if (place.isOpen) place.close();
    else if (queue?.isOpen) queue.close();
    else if (repeats.isOpen) repeats.close();
  });
  map.on('moveend', () => {
    state.view = grids.view;
    saveState();
  });
  map.on('idle', count);
  map.on('error', (/** @type {any} */ { error, sourceId }) => {
    if (error?.status === 401) api.onended();
    say(t('map.tiles_failed', { layer: sourceId ? t(`source.${sourceId}`) : error?.message ?? '' }));
  });

  redraw();
  cover();
  grids.styled().then(() => {
    grids.addLayers(tilesets, language(), state.layers, new Map([['incidents', incidentQuery()]]));
    grids.setVisible(state.layers);
    if (state.layers.has('density')) drawDensity();
    if (state.layers.has('hotspots')) spots.draw();
    tellGridmap(map);
    if (state.layers.has('gridmap')) gridmap.draw();
    if (available.has('incidents')) countAll();
    saveState();
    if (!may('grids.read')) {
      cover(h('p', {}, t('account.nothing')));
    } else if (meta.edition === null) {
      cover(h('section', { class: 'empty' }, h('h2', {}, t('empty.title')), h('p', {}, t('empty.text'))));
    } else {
      tasks.greet();
      if (fresh) map.once('idle', () => {
        const town = grids.densestBounds();
        if (town && !queue?.isOpen) grids.fit(town, 20);
      });
    }
    queue?.count();
    document.body.dataset.ready = 'true';
  });
}

start();
