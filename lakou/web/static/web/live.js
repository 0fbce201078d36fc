// Keeps /poste alive: reads the event stream, writes values and ages, and says whether the page is live.
// The page is whole without it. Ages follow the server's clock, so that a wrong clock here cannot make an old
// value look new; what is older than three usual periods turns silent even when nothing arrives any more.

const NNBSP = '\u202f';
const NBSP = '\u00a0';
const PERIODS_BEFORE_SILENCE = 3;
const CLOCK_TOLERANCE_S = 60;
const FLUSH_MS = 500;
const AGE_MS = 1000;
const LATE_S = 30;
const RELOAD_NOT_BEFORE_MS = 15000;
const WORDS = {fresh: 'à jour', silent: 'silencieux', unpaced: 'rythme inconnu', ahead: 'date à venir'};
const STATUS = {direct: ['●', 'en direct'], late: ['◐', 'en retard'], cut: ['✕', 'coupé']};

const page = document.querySelector('[data-live]');
const opened = Date.now();
const serverAtOpening = Number(page.dataset.now) * 1000;
const now = () => (serverAtOpening + (Date.now() - opened)) / 1000;

const rows = new Map();
for (const row of document.querySelectorAll('[data-datastream]')) {
  rows.set(row.dataset.datastream, row);
}
const waiting = new Map();
let lastEvent = Date.now();
let state = 'cut';
let retryMs = 2000;
let lastId = '';

function number(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-5 || size >= 1e15)) {
    const [mantissa, exponent] = size.toExponential(2).split('e');
    const power = String(Number(exponent)).replace(/./g, (sign) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(sign)]);
    return (value < 0 ? '−' : '') + String(Number(mantissa)).replace('.', ',') + NNBSP + '×' + NNBSP + '10' + power;
  }
  const places = size >= 1000 || size === 0 ? 0 : Math.min(3 - Math.floor(Math.log10(size)), 20);
  return new Intl.NumberFormat('fr-FR', {maximumFractionDigits: places}).format(value).replace('-', '−');
}

function degrees(value, positive, negative) {
  return Math.abs(value).toFixed(4).replace('.', ',') + '°' + NNBSP + (value >= 0 ? positive : negative);
}

function text(result, unit) {
  if (result === null || result === undefined) return '—';
  if (typeof result === 'boolean') return result ? 'oui' : 'non';
  if (typeof result === 'number') return number(result) + (unit ? NNBSP + unit : '');
  if (typeof result === 'string') return result.length <= 80 ? result : result.slice(0, 79) + '…';
  if (Array.isArray(result)) return result.length + NBSP + 'valeurs';
  if (isPoint(result)) return degrees(result.coordinates[1], 'N', 'S') + ', ' + degrees(result.coordinates[0], 'E', 'O');
  return 'valeur composée';
}

function isPoint(result) {
  return result?.type === 'Point' && result.coordinates?.slice(0, 2).every(Number.isFinite);
}

function age(seconds) {
  const size = Math.abs(seconds);
  if (size < 3) return 'à l\'instant';
  const [length, unit] = size < 60 ? [1, 's'] : size < 3600 ? [60, 'min'] : size < 172800 ? [3600, 'h'] : [86400, 'j'];
  return (seconds >= 0 ? 'il y a ' : 'dans ') + Math.floor(size / length) + NNBSP + unit;
}

function judge(seconds, period) {
  if (seconds < -CLOCK_TOLERANCE_S) return 'ahead';
  if (!period) return 'unpaced';
  return seconds > PERIODS_BEFORE_SILENCE * period ? 'silent' : 'fresh';
}

function write(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function grow() {
  const tally = {fresh: 0, silent: 0};
  for (const row of rows.values()) {
    const time = row.querySelector('time');
    let current = row.dataset.state;
    if (time.dateTime) {
      const seconds = now() - Date.parse(time.dateTime) / 1000;
      current = judge(seconds, Number(row.dataset.period));
      write(time, age(seconds));
    }
    if (row.dataset.state !== current) {
      row.dataset.state = current;
      write(row.querySelector('.health .shape'), current === 'fresh' ? '●' : '?');
      write(row.querySelector('.health .word'), WORDS[current]);
    }
    tally[current === 'fresh' ? 'fresh' : 'silent'] += 1;
  }
  tell('fresh', tally.fresh, 'flux à jour');
  tell('silent', tally.silent, tally.silent >= 2 ? 'flux silencieux ou inconnus' : 'flux silencieux ou inconnu');
  mark();
  watch();
}

function tell(name, amount, words) {
  const element = page.querySelector(`[data-tally="${name}"]`);
  if (element) write(element, number(amount) + NBSP + words);
}

function mark() {
  for (const marker of page.querySelectorAll('[data-marker]')) {
    const flows = [...document.querySelectorAll(`[data-thing="${marker.dataset.marker}"] [data-datastream]`)];
    const calm = flows.length > 0 && flows.every((flow) => flow.dataset.state === 'fresh');
    const seen = calm ? 'fresh' : 'silent';
    if (marker.dataset.state !== seen) {
      marker.dataset.state = seen;
      const legend = marker.getAttribute('aria-label').replace(/ : [^:]*$/, ' : ' + WORDS[seen]);
      marker.setAttribute('aria-label', legend);
      write(marker.querySelector('title'), legend);
    }
  }
}

function move(thing, point) {
  const map = page.querySelector('[data-bounds]');
  const marker = map?.querySelector(`[data-marker="${thing}"]`);
  if (!marker) return;
  const [west, south, east, north] = map.dataset.bounds.split(',').map(Number);
  const x = (point.coordinates[0] - west) / (east - west) * Number(map.dataset.width);
  const y = (north - point.coordinates[1]) / (north - south) * Number(map.dataset.height);
  if (x >= 0 && y >= 0 && x <= Number(map.dataset.width) && y <= Number(map.dataset.height)) {
    marker.setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    map.querySelector(`[data-tie="${thing}"]`)?.remove();
  }
}

function flush() {
  for (const [id, seen] of waiting) {
    const row = rows.get(id);
    const time = row.querySelector('time');
    const moment = String(seen.phenomenonTime).split('/').pop();
    // An older value may arrive late: it is stored, but it is not the latest.
    if (Number.isNaN(Date.parse(moment)) || (time.dateTime && Date.parse(moment) < Date.parse(time.dateTime))) continue;
    time.dateTime = moment;
    write(row.querySelector('.value'), text(seen.result, row.dataset.unit));
    if (isPoint(seen.result)) move(row.closest('[data-thing]').dataset.thing, seen.result);
  }
  waiting.clear();
  grow();
}

function receive(event) {
  lastEvent = Date.now();
  lastId = event.lastEventId;
  retryMs = 2000;
  show('direct');
  let seen;
  try {
    seen = JSON.parse(event.data);
  } catch {
    return;
  }
  const id = String(seen.datastream);
  if (!rows.has(id)) {
    const news = document.querySelector('[data-news]');
    if (news && !new URLSearchParams(location.search).has('page')) news.hidden = false;
    return;
  }
  const before = waiting.get(id);
  if (before && Date.parse(before.phenomenonTime) > Date.parse(seen.phenomenonTime)) return;
  if (waiting.size === 0) setTimeout(flush, FLUSH_MS);
  waiting.set(id, seen);
}

function show(next) {
  if (next === state) return;
  state = next;
  const line = document.querySelector('[data-live-status]');
  line.dataset.liveStatus = next;
  write(line.querySelector('.shape'), STATUS[next][0]);
  write(line.querySelector('.word'), STATUS[next][1]);
}

function watch() {
  if (state === 'direct' && Date.now() - lastEvent > LATE_S * 1000) show('late');
}

function resync() {
  // A service that asks again and again must not turn the page into a loop.
  setTimeout(() => location.reload(), Math.max(RELOAD_NOT_BEFORE_MS - (Date.now() - opened), 0) + Math.random() * 2000);
}

// A new EventSource does not know where the one before it was: the address says it.
function address() {
  const url = new URL(page.dataset.live, location.href);
  if (lastId) url.searchParams.set('after', lastId);
  return url.href;
}

function connect() {
  const stream = new EventSource(address());
  stream.addEventListener('open', () => {
    lastEvent = Date.now();
    show('direct');
  });
  stream.addEventListener('observation', receive);
  stream.addEventListener('resync', resync);
  stream.addEventListener('error', () => {
    show('cut');
    // The browser tries again by itself after a lost connection, but not after a refusal.
    if (stream.readyState === EventSource.CLOSED) {
      stream.close();
      setTimeout(connect, retryMs * (0.5 + Math.random()));
      retryMs = Math.min(retryMs * 2, 60000);
    }
  });
}

const first = document.querySelector('[data-live-status]');
first.dataset.liveStatus = 'cut';
write(first.querySelector('.shape'), STATUS.cut[0]);
write(first.querySelector('.word'), STATUS.cut[1]);
connect();
grow();
setInterval(grow, AGE_MS);
document.addEventListener('visibilitychange', grow);
