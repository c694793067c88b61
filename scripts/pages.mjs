// The HTML reports as a reader has them: each page is opened in headless Chromium, light and dark, wide and narrow, and used by
// mouse and by keyboard. Found wrong: whatever the console says, any request (a page needs nothing else), a violation of axe's
// rules, a body wider than the window, more than 2 MB, a control that does not do what it is for. Pages with something wrong
// planted come first, and each must be found: what cannot fail shows nothing.
// Started by scripts/pages: node pages.mjs FOLDER VALIDATE; FOLDER has node_modules and gets the pictures.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

const [place, validate] = process.argv.slice(2);
const require = createRequire(join(place, "node_modules/"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const LARGEST = 2_000_000;

// What is looked at.

const made = mkdtempSync(join(place, "made."));
process.on("exit", () => rmSync(made, { recursive: true, force: true }));

async function call(args, codes = [0]) {
  const done = await promisify(execFile)(validate, args, { cwd: made, maxBuffer: 1 << 26 }).catch(error => error);
  if (!codes.includes(done.code ?? 0)) throw new Error(`validate ${args.join(" ")}: ${done.stdout}${done.stderr}`);
}
const only = folder => join(made, folder, readdirSync(join(made, folder))[0]);
const show = (run, page) => call(["matrix", "show", run, "--against", "reported", "--format", `html=${page}`]);

// The reported cells; the same again and again until there are 5000 of 250 probes in 20 settings; and none.
async function matrices() {
  await call(["matrix", "run", "--reported", "--repeat", "1", "--timeout", "3s", "--results", "reported"]);
  const run = JSON.parse(readFileSync(join(only("reported"), "matrix.json"), "utf8"));
  const cells = Array.from({ length: 5000 }, (_, at) => {
    const cell = structuredClone(run.cells[at % run.cells.length]);
    delete cell.reported;
    cell.probe = `conv2d/f16/1x${1 + Math.floor(at / 20)}x44x44/32x3x3/s1p1d1g1/forward`;
    cell.setting = `solver=ConvOclDirectFwd${at % 20}`;
    cell.id = `${cell.probe}::${cell.setting}::${cell.worker}`;
    // Addresses differ from run to run.
    for (const each of cell.runs) each.evidence = each.evidence?.map(line => `${line} (0x7f${at.toString(16)})`);
    return cell;
  });
  for (const [name, of] of [["many", cells], ["empty", []]]) {
    mkdirSync(join(made, name));
    writeFileSync(join(made, name, "matrix.json"), JSON.stringify({ ...run, cells: of }));
  }
  await Promise.all([show(only("reported"), "matrix.html"), show(join(made, "many"), "many.html"), show(join(made, "empty"), "empty.html")]);
}

// Two stacks with seven differences between them, and one of them beside itself.
async function comparisons() {
  const count = "[[check]]\nid = 'devices.count'", memory = "[[check]]\nid = 'memory.per-device'";
  const document = "[observe]\nask = ['list']\n[[check]]\nid = 'amd-smi.json'";
  const fleet = [
    ["lost-device", count, [], ["missing_last_device"]],
    ["lost-memory", memory, [], ["wrong_memory=1024MiB"]],
    ["documents", document, [], ["legend_text"]],
    ["found-device", count, ["missing_last_device"], []],
    ["found-memory", memory, ["wrong_memory=1024MiB"], []],
    ["flake", document, [], ["after=3:garbage"]],
    ["other-modes", count, [], [], "SPX/NPS1"],
    ["well", count, [], []],
  ];
  mkdirSync(join(made, "scenarios"));
  await Promise.all(fleet.map(async ([name, check, base, candidate, mode = "CPX/NPS4"]) => {
    const file = join("scenarios", name + ".toml");
    writeFileSync(join(made, file), "title = 'a look'\nwhy = 'to see a page of it'\nsource = 'scripts/pages'\n"
      + "[applies]\npart = 'MI300X'\n[simulate]\nmachine = 'mi300x'\namd-smi = '26.2.1'\n" + check + "\n");
    for (const [stack, version, faults, modes] of [["a", "26.2.1", base, "CPX/NPS4"], ["b", "27.1.0", candidate, mode]]) {
      const host = `${stack}-${name}`, [compute, partition] = modes.split("/");
      await call(["shim", host, "--machine", "mi300x", "--compute", compute, "--memory", partition, "--amd-smi", version,
        ...faults.flatMap(fault => ["--fault", fault])]);
      await call(["run", file, "--host", host, "--repeat", "3", "--results", join(stack, name)], [0, 1]);
    }
  }));
  const side = stack => fleet.map(([name]) => only(join(stack, name)));
  const compare = (base, candidate, page, codes) =>
    call(["diff", "--base", ...side(base), "--candidate", ...side(candidate), "--format", `html=${page}`], codes);
  await Promise.all([compare("a", "b", "diff.html", [1]), compare("b", "b", "diff-same.html", [0, 3])]);
}

// How it is looked at.

const WIDE = { width: 1400, height: 900 }, NARROW = { width: 390, height: 800 };

async function visit(browser, file, { view = WIDE, scheme = "light", uses = [], picture, accessible = true }) {
  const found = [];
  const say = (kind, text) => found.push({ kind, text });
  const size = statSync(file).size;
  if (size > LARGEST) say("size", `${size} bytes`);
  const context = await browser.newContext({ viewport: view, colorScheme: scheme, offline: true });
  const page = await context.newPage();
  const url = pathToFileURL(file).href;
  page.setDefaultTimeout(60_000);
  page.on("console", message => ["error", "warning"].includes(message.type()) && say("console", message.text()));
  page.on("pageerror", error => say("console", String(error)));
  page.on("request", request => request.url().split("#")[0] !== url && say("request", request.url()));
  await page.goto(url);
  if (picture) await page.screenshot({ path: picture + ".png" });
  // Of the whole page, or of a part: a page of 5000 cells takes seconds.
  const rules = async (when, part = "html") => {
    if (!accessible) return;
    await page.evaluate(axe);
    const { violations } = await page.evaluate(part => axe.run(part, { resultTypes: ["violations"] }), part);
    for (const { id, help, nodes } of violations) say("axe", `${when}: ${id}: ${help}; ${nodes.length} of ${nodes[0].html.slice(0, 200)}`);
  };
  const wide = async () => {
    const [needs, has] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    if (needs > has) say("overflow", `the body is ${needs} wide in a window of ${has}`);
  };
  await rules("as opened");
  await wide();
  for (const use of uses) {
    try {
      await use(page, { rules, picture });
    } catch (error) {
      say("use", `${use.name}: ${error.message.split("\n")[0]}`);
    }
    await wide();
  }
  await context.close();
  return found;
}

function must(that, text) {
  if (!that) throw new Error(text);
}

// Whether what has the focus shows it.
async function focused(page, what) {
  const shown = await page.evaluate(() => {
    const style = getComputedStyle(document.activeElement);
    return document.activeElement !== document.body && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  });
  must(shown, `${what} has the focus and does not show it`);
}

// How the page is used.

const opened = page => page.evaluate(() => document.getElementById("cell").open);
const holds = (page, button) => button.evaluate(each => document.activeElement === each);

async function aCellByMouse(page, { rules, picture }) {
  const cell = page.locator("#grid td button").first();
  await cell.click();
  must(await opened(page), "a click opens nothing");
  must(await page.locator("#cell dd").count() > 2, "what opens says nothing");
  if (picture) await page.screenshot({ path: picture + "-cell.png" });
  await rules("with a cell opened", "#cell");
  await page.keyboard.press("Escape");
  must(!await opened(page), "Esc does not close");
  must(await holds(page, cell), "the focus does not come back");
}

async function aCellByKeyboard(page) {
  const cell = page.locator("#grid td button").last();
  await page.locator("#grid-text").press("Tab");
  await cell.focus();
  await focused(page, "a cell");
  await page.keyboard.press("Enter");
  must(await opened(page), "Enter opens nothing");
  await focused(page, "what opened");
  await page.locator("#cell button").press("Enter");
  must(!await opened(page), "the button does not close");
  must(await holds(page, cell), "the focus does not come back");
}

const lines = (page, table) => page.locator(`${table} tbody tr:not(.none)`);

async function filters(page, table, field) {
  const all = await lines(page, table).count();
  const wanted = (await page.locator(`${table} tbody th`).last().textContent()).trim();
  await page.locator(field).pressSequentially(wanted);
  const names = await page.locator(`${table} tbody th`).allTextContents();
  must(names.length < all && names.length > 0, `${names.length} of ${all} lines left by a filter for one`);
  must(names.every(name => name.includes(wanted)), "a line is left that the filter is not for");
  const said = await page.locator(field.replace("-text", "-count")).textContent();
  must(said.startsWith(`${names.length} of ${all} `), `the count says ${said}`);
  await page.locator(field).fill("what no line has");
  must(await lines(page, table).count() === 0, "a filter for nothing leaves something");
  must(await page.locator(`${table} tbody tr.none`).count() === 1, "nothing says that nothing is left");
  await page.locator(field).fill("");
  must(await lines(page, table).count() === all, "without the filter not everything is back");
}

async function sorts(page, table, at, act) {
  const heading = page.locator(`${table} thead th`).nth(at), button = heading.locator("button");
  const values = () => page.locator(`${table} tbody tr > :nth-child(${at + 1})`).allTextContents();
  const before = [...await values()];
  for (const [order, sign] of [["ascending", 1], ["descending", -1]]) {
    await act(button);
    must(await heading.getAttribute("aria-sort") === order, `a heading is not ${order}`);
    const after = await values();
    must(after.length === before.length, "lines come or go");
    const sorted = after.every((value, at) => at === 0 || sign * (after[at - 1] < value ? -1 : after[at - 1] > value ? 1 : 0) <= 0);
    must(sorted, `lines are not ${order}`);
  }
}

const byMouse = button => button.click();
async function byKeyboard(button) {
  await button.focus();
  await button.page().keyboard.press("Enter");
}
async function grid(page) {
  await filters(page, "#grid", "#grid-text");
  await sorts(page, "#grid", 0, byMouse);
  await sorts(page, "#grid", 0, byKeyboard);
}
async function reports(page) {
  await filters(page, "#reported", "#reported-text");
  await sorts(page, "#reported", 0, byKeyboard);
  await sorts(page, "#reported", 2, byMouse);
}

// What scrolls on a screen has no end on paper.
async function onPaper(page) {
  await page.emulateMedia({ media: "print" });
  const cut = await page.evaluate(() => [...document.querySelectorAll(".scroll")].filter(each => each.scrollHeight > each.clientHeight + 1).length);
  await page.emulateMedia({ media: "screen" });
  must(cut === 0, `${cut} tables are cut off on paper`);
}

async function details(page, { rules }) {
  const all = await page.locator("details").count();
  for (let at = 0; at < all; at += 1) {
    const one = page.locator("details").nth(at), summary = one.locator("summary").first();
    const isOpen = () => one.evaluate(each => each.open);
    const before = await isOpen();
    await summary.focus();
    await page.keyboard.press("Enter");
    must(await isOpen() !== before, "Enter opens no case");
    await focused(page, "a case");
    await summary.click();
    must(await isOpen() === before, "a click does not close what Enter opened");
    if (!before) await summary.click();
  }
  await rules("with everything opened");
}

async function links(page) {
  for (const link of await page.locator("nav a").all()) {
    const name = (await link.getAttribute("href")).slice(1);
    await link.click();
    must(await page.locator(`[id="${name}"]`).isVisible(), `#${name} leads nowhere`);
  }
}

// What is planted: the page, what is put in place of what, and what must be found.
const PLANTED = [
  ["matrix.html", "<main>", "<main><p style='color: #999; background: #fff'>pale</p>", "axe"],
  ["matrix.html", "<main>", "<main><script>console.warn('planted')</script>", "console"],
  ["matrix.html", "<main>", "<main><script>planted()</script>", "console"],
  ["diff.html", /<meta http-equiv=.*>/, "<link rel='stylesheet' href='https://example.invalid/planted.css'>", "request"],
  ["diff.html", "<main>", "<main><div style='width: 3000px'>planted</div>", "overflow"],
  ["many.html", "</body>", `<!--${"planted ".repeat(LARGEST / 8)}--></body>`, "size"],
  ["matrix.html", "showModal", "show", "use", aCellByMouse],
  ["matrix.html", "</style>", ":focus-visible { outline: none !important; }</style>", "use", aCellByKeyboard],
  ["matrix.html", "text.oninput = status", "text.onplanted = status", "use", grid],
  ["matrix.html", "shown.sort(", "[].sort(", "use", reports],
  ["matrix.html", "if (!shown.length)", "if (false)", "use", grid],
  ["matrix.html", "</style>", ".scroll { max-height: 9rem !important; }</style>", "use", onPaper],
  ["diff.html", "href=\"#regressed\"", "href=\"#planted\"", "use", links],
  ["diff.html", "<main>", "<main><details><summary style='outline: none'>planted</summary></details>", "use", details],
];

// Some at a time: most of each is waiting for the browser.
async function each(all, one) {
  const left = all.entries();
  await Promise.all(Array.from({ length: 3 }, async () => {
    for (const [at, value] of left) await one(value, at);
  }));
}

async function main() {
  await Promise.all([matrices(), comparisons()]);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || undefined });
  let wrong = 0;
  await each(PLANTED, async ([name, from, to, kind, use], at) => {
    const text = readFileSync(join(made, name), "utf8");
    const planted = text.replace(from, () => to);
    must(planted !== text, `${name} has no ${from} to plant something at`);
    const file = join(made, `planted-${at}.html`);
    writeFileSync(file, planted);
    const found = await visit(browser, file, { uses: use ? [use] : [], accessible: kind === "axe" });
    if (!found.some(each => each.kind === kind)) {
      wrong += 1;
      console.log(`NOT FOUND: ${to.slice(0, 90)} in ${name}`);
    }
  });
  const uses = {
    "matrix.html": [aCellByMouse, aCellByKeyboard, grid, reports, onPaper],
    "many.html": [aCellByMouse, aCellByKeyboard, grid, onPaper],
    "empty.html": [onPaper],
    "diff.html": [links, details, onPaper],
    "diff-same.html": [links, details, onPaper],
  };
  // The colours of the largest are those of the others.
  const visits = Object.keys(uses).flatMap(name => [
    [name, "wide", WIDE, "light"], [name, "narrow", NARROW, "dark"], [name, "wide", WIDE, "dark"], [name, "narrow", NARROW, "light"],
  ].slice(0, name === "many.html" ? 2 : 4));
  await each(visits, async ([name, width, view, scheme]) => {
    const picture = join(place, `${name.replace(".html", "")}-${width}-${scheme}`);
    const found = await visit(browser, join(made, name), { view, scheme, uses: uses[name], picture });
    console.log(`${found.length ? "WRONG" : "ok   "} ${name} ${width} ${scheme}`);
    for (const { kind, text } of found) console.log(`      ${kind}: ${text}`);
    wrong += found.length;
  });
  await browser.close();
  console.log(wrong ? `${wrong} wrong` : `nothing wrong; ${PLANTED.length} planted errors found; pictures in ${place}`);
  process.exitCode = wrong ? 1 : 0;
}

await main();
