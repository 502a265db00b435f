"use strict";
const $ = id => document.getElementById(id), DATA = JSON.parse($("data").textContent);
const NONE = 65535, DASHES = ["dash", "dot"], MARKS = {"reproduced": "\u2713", "not reproduced": "\u2717", "undecided": "?"};
const form = $("choose"), HINT = $("about").textContent, dark = matchMedia("(prefers-color-scheme: dark)");
let name, E, usual;  // the experiment shown, and what its controls say at first
let now, panels, groups;  // what they say, the curves drawn, the runs of equal settings
const css = variable => getComputedStyle(document.documentElement).getPropertyValue(variable);
const inert = text => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");  // the plotting library reads markup
const count = (n, what) => `${n.toLocaleString("en-GB")} ${what}${n === 1 ? "" : "s"}`;
function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// The address: what the controls say, where it is not the usual. A change is written there, and drawn from there.

function said() {
  const data = new FormData(form), names = [...form.elements].map(control => control.name).filter(Boolean);
  return Object.fromEntries(names.map(name => [name, data.getAll(name).join()]));
}
function addressOf(entries) { return "#" + new URLSearchParams(entries).toString().replaceAll("%2C", ","); }
function write() {
  const changed = Object.entries(said()).filter(([key, value]) => key === "experiment" || value !== usual[key]);
  location.hash = addressOf(form.experiment.value === name ? changed : changed.slice(0, 1));
}
function apply([key, value]) {  // tells whether there is such a control with such a value
  const controls = [...form.elements].filter(control => control.name === key), parts = controls[0]?.options ? [value] : value.split(",").filter(Boolean);
  const values = controls.flatMap(control => control.options ? [...control.options].map(option => option.value) : control.type === "text" ? parts : control.value);
  const known = controls.length > 0 && parts.every(part => values.includes(part));
  if (known) for (const control of controls) {
    if (["checkbox", "radio"].includes(control.type)) control.checked = parts.includes(control.value);
    else control.value = value;
  }
  return known;
}
function read() {
  const asked = new URLSearchParams(location.hash.slice(1)), claim = asked.get("claim");
  const isClaim = Object.hasOwn(DATA.claims, claim ?? "");
  for (const id of ["curves", "choose"]) $(id).hidden = isClaim;
  for (const id of ["claim", "list"]) $(id).hidden = !isClaim;
  $("to-curves").toggleAttribute("aria-current", !isClaim);
  $("to-claims").toggleAttribute("aria-current", isClaim);
  if (isClaim) return showClaim(claim);
  const wanted = asked.get("experiment");
  build(Object.hasOwn(DATA.experiments, wanted ?? "") ? wanted : DATA.opens);
  form.reset();
  draw([...asked].filter(entry => !apply(entry)));
}

// The controls of an experiment.

function fill(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => new Option(text, value, value === chosen, value === chosen)));
}
function build(wanted) {
  if (wanted === name) return;
  name = wanted; E = DATA.experiments[name];
  const several = severalOf(E.choices), fixed = Object.values(E.choices).filter(({values}) => values.length === 1).map(({title, values}) => `${title} = ${values[0]}`);
  const colour = ["K", "N"].find(key => several.includes(key)) ?? several.at(-1) ?? "K";
  // It opens on all values of what gives the colours, and on the middle one of whatever else differs.
  $("choices").replaceChildren(...several.map(key => [key, E.choices[key]]).map(([key, {title, values, address}]) => element("fieldset", {}, element("legend", {textContent: title}),
    ...values.map((text, i) => element("label", {}, element("input", {type: "checkbox", name: key, value: address[i],
      defaultChecked: key === colour || i === Math.floor((values.length - 1) / 2)}), " " + text)))));
  const curves = Object.keys(E.curves), titles = curves.map(curve => [curve, `${curve}: ${E.curves[curve].title}`]);
  // At K = infinity no item comes twice, so there is nothing to memorise.
  const memorised = E.choices.K.values.some(value => value !== "\u221e") ? ["iwl_accuracy"] : [];
  const [above, below] = ["icl_accuracy", ...memorised, "icl_loss", "i_k", "c1"].filter(curve => curves.includes(curve));
  fill($("experiment"), Object.entries(DATA.experiments).map(([key, {title}]) => [key, `${key}: ${title}`]), name);
  fill($("above"), titles, above ?? curves[0]);
  fill($("below"), [["", "nothing"], ...titles], below ?? "");
  $("by").hidden = several.length < 2;
  fill($("colour"), (several.length ? several : ["K"]).map(key => [key, E.choices[key].title]), colour);
  fill($("run"), [["", "none"], ...E.runs.seed.map((_, run) => [String(run), `${run}: ${nameOf(run)}`])], "");
  $("seeds").placeholder = `all: ${Math.min(...E.runs.seed)} to ${Math.max(...E.runs.seed)}`;
  form.reset();
  usual = said();
  $("name").textContent = name;
  $("title").textContent = [E.title, ...fixed, `data ${E.digest}`].join("; ");
  const judged = Object.entries(DATA.claims).filter(([, claim]) => Object.hasOwn(claim.experiments, name));
  $("judged").replaceChildren(judged.length ? "Judged on these runs: " : "No claim is judged on these runs.", ...judged.flatMap(([id], i) => [i ? ", " : "", linkTo(id)]));
}
function linkTo(id) { return element("a", {href: addressOf([["claim", id]]), textContent: id}); }
function nameOf(run) { return [...settingsOf(run, Object.keys(E.choices)), `seed ${E.runs.seed[run]}`].join(", "); }
function settingsOf(run, keys) { return keys.map(key => `${E.choices[key].title} = ${E.choices[key].values[E.choices[key].of_run[run]]}`); }
function severalOf(choices) { return Object.keys(choices).filter(key => choices[key].values.length > 1); }
function visible() {
  const ranges = now.seeds.split(",").filter(part => part.trim()).map(part => part.split("-").map(Number));
  const chosen = severalOf(E.choices).map(key => [E.choices[key], now[key].split(",")]);
  return E.runs.seed.map((_, run) => run).filter(run => chosen.every(([choice, values]) => values.includes(choice.address[choice.of_run[run]]))
    && (!ranges.length || ranges.some(([first, last = first]) => first <= E.runs.seed[run] && E.runs.seed[run] <= last)));
}

// Curves, and their medians.

function decode(curve) {
  if (!curve.values) {
    const bytes = Uint8Array.from(atob(curve.data), c => c.charCodeAt(0)), levels = new Uint16Array(bytes.buffer);
    const span = (curve.high - curve.low) || 1;
    curve.values = Float64Array.from(levels, x => x === NONE ? NaN : curve.low + span * x / (NONE - 1));
  }
  return curve.values;
}
function lineOf(curve, run) {
  const values = decode(curve), steps = E.steps[E.runs.schedule[run]], pace = now.clock === "steps" ? 1 : E.runs.rate[run], x = [], y = [];
  for (let i = 0; i < E.points; i++) {
    const value = values[run * E.points + i];
    if (steps[i] !== null && !Number.isNaN(value)) { x.push(steps[i] * pace); y.push(value); }
  }
  return {x, y, run};
}
function valueAt({x, y}, time) {  // linear between evaluations; a run that has ended keeps its last value
  const i = x.findIndex(t => t >= time);
  if (i < 1) return i < 0 ? y.at(-1) : y[0];
  return y[i - 1] + (y[i] - y[i - 1]) * (time - x[i - 1]) / (x[i] - x[i - 1]);
}
function quartilesOf(lines) {
  const x = lines.reduce((a, b) => b.x.at(-1) > a.x.at(-1) ? b : a).x;
  const sorted = x.map(time => lines.map(line => valueAt(line, time)).sort((a, b) => a - b));
  const [low, y, high] = [.25, .5, .75].map(share => sorted.map(values => {
    const place = share * (values.length - 1), i = Math.floor(place);
    return values[i] + (place - i) * ((values[i + 1] ?? values[i]) - values[i]);
  }));
  return {x, y, low, high};
}
function groupsOf(runs) {
  const several = severalOf(E.choices), found = Map.groupBy(runs, run => settingsOf(run, several).join(", "));
  const choice = E.choices[now.colour], values = [...new Set(runs.map(run => choice.of_run[run]))].sort((a, b) => a - b), colours = DATA.colours[dark.matches ? "dark" : "light"];
  return [...found].map(([title, runs]) => ({title: title || "all runs", runs, order: values.indexOf(choice.of_run[runs[0]])}))
    .map(group => ({...group, colour: colours[Math.round(group.order / Math.max(values.length - 1, 1) * (colours.length - 1))]}))
    .sort((a, b) => a.order - b.order);
}

// The drawing.

function tracesOf(curve, axis, dash, width) {  // of every group: a median with its quartiles, or each run
  return groups.flatMap(({title, runs, colour}, meta) => {
    const lines = runs.map(run => lineOf(curve, run)).filter(line => line.x.length);
    if (!lines.length) return [];
    const quartiles = quartilesOf(lines), common = {yaxis: axis, mode: "lines", meta, name: inert(title)}, line = {color: colour, width, dash};
    const told = `%{fullData.name}%{customdata}<br>%{y:.4g} at %{x:,.4~g}<extra>${dash === "solid" ? "" : "theory"}</extra>`;
    if (now.show === "runs") {  // all in one trace, with a gap after each
      const joined = key => lines.flatMap(line => [...line[key], null]);
      const of = lines.flatMap(({x, run}) => [...x, null].fill(run));
      return [{...common, x: joined("x"), y: joined("y"), of, customdata: of.map(run => `, run ${run}`), hovertemplate: told, line, quartiles}];
    }
    const {x, y, low, high} = quartiles, median = {...common, x, y, line, customdata: x.map(() => ""), hovertemplate: told, quartiles};
    const band = {...common, x: [...x, ...x.toReversed()], y: [...high, ...low.toReversed()], fill: "toself", fillcolor: colour + "33", line: {width: 0}, hoverinfo: "skip"};
    return dash === "solid" && lines.length > 1 ? [band, median] : [median];
  });
}
function draw(wrong = []) {
  now = said(); panels = [now.above, now.below].filter(Boolean);
  const runs = visible();
  groups = groupsOf(runs);
  const each = now.show === "runs", axes = ["y", "y2"], theories = E.theory.map(({title, curves}, i) => ({title, curves, dash: DASHES[i]}));
  const measured = panels.map((panel, i) => tracesOf(E.curves[panel], axes[i], "solid", each ? 1 : 2.5));
  const theory = now.theory ? panels.flatMap((panel, i) => theories.filter(({curves}) => curves[panel]).flatMap(({curves, dash}) => tracesOf(curves[panel], axes[i], dash, 1.8))) : [];
  const ends = extent(measured.flat(), "x", now.log.includes("x"));
  const chance = panels.flatMap((panel, i) => E.curves[panel].chance === null || ends[0] > ends[1] ? [] : [{x: ends, y: ends.map(() => E.curves[panel].chance), yaxis: axes[i],
    name: "chance", mode: "lines", hoverinfo: "skip", line: {color: css("--faint"), width: 1.2, dash: "longdashdot"}}]);
  showWords(runs, measured, theories.filter(({curves}) => panels.some(panel => curves[panel])), theory.length > 0, chance.length > 0, wrong);
  plot([...measured.flat(), ...theory, ...chance], ends[0] <= ends[1]);
  emphasise();
}
function extent(traces, key, positive) {
  return traces.flatMap(trace => trace[key]).reduce(([low, high], value) => value === null || (positive && value <= 0) ? [low, high] : [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}
function logarithmic(traces, key) {  // with 1, 2 and 5 of each decade in plain numbers, or decades alone if they are many
  const [low, high] = extent(traces, key, true), [first, last] = [low, high].map(value => Math.floor(Math.log10(value))), digits = high < 100 * low ? [1, 2, 5] : [1];
  if (low > high) return {};
  return {type: "log", tickvals: Array.from({length: last - first + 2}, (_, i) => digits.map(digit => digit * 10 ** (first + i))).flat()};
}
function showWords(runs, measured, theories, isTheory, isChance, wrong) {
  const total = E.runs.seed.length, each = now.show === "runs", early = runs.some(run => E.runs.last[run] < Math.max(...runs.map(other => E.runs.last[other])));
  const warnings = wrong.map(([key, value]) => `This size has no ${key} = ${value}, which the address asks for.`);
  if (!runs.length) warnings.push(`Nothing is drawn: none of the ${count(total, "run")} is of what is chosen.`);
  else warnings.push(...panels.filter((_, i) => !measured[i].length).map(panel => `No value of ${panel} is recorded in these runs.`));
  const of = runs.length === total ? `all ${count(total, "run")}` : `the ${runs.length.toLocaleString("en-GB")} chosen of ${count(total, "run")}`;
  const said = each ? `Curves of ${of}.` : `Medians and quartiles of ${of}${early ? "; a run that ended early counts with its last value" : ""}.`;
  $("notice").textContent = [...(runs.length ? [said] : []), ...warnings].join(" ");
  $("notice").className = warnings.length ? "warns" : "";
  const key = (style, text) => element("li", {}, element("i", style), text);
  const kinds = [...new Map(groups.map(group => [group.order, group])).values()];
  $("legend").replaceChildren(...kinds.map(({runs: [run], colour}) => key({style: `border-color: ${colour}`}, E.choices[now.colour].values.length > 1 ? settingsOf(run, [now.colour])[0] : "all runs")),
    ...(each || !runs.length ? [] : [key({className: "band"}, "quartiles")]), ...(isChance ? [key({style: "border-top: 1.5px dashed var(--faint)"}, "chance")] : []),
    ...(isTheory ? theories.map(({title, dash}) => key({style: `border-top-style: ${dash === "dot" ? "dotted" : "dashed"}`}, `theory: ${title}`)) : []));
  const without = panels.filter(panel => !theories.some(({curves}) => curves[panel]));
  $("theory-note").textContent = !E.theory.length ? `No theory here. ${E.why_not}`
    : without.length ? `The theory has no curve of ${without.join(" and ")} here; of ${[...new Set(E.theory.flatMap(({curves}) => Object.keys(curves)))].join(", ")} it has.` : "";
  const cells = measured.map(traces => new Map(traces.filter(trace => trace.quartiles).map(({meta, quartiles: {y, low, high}}) => {
    const [median, first, third] = [y, low, high].map(values => values.at(-1).toPrecision(4));
    return [meta, `${median} [${first}, ${third}]`];
  }))), row = (tag, texts) => element("tr", {}, ...texts.map(textContent => element(tag, {textContent})));
  $("numbers").replaceChildren(element("thead", {}, row("th", ["setting", "runs", ...panels.map(panel => `${panel}: median [quartiles]`)])),
    element("tbody", {}, ...groups.map(({title, runs}, i) => row("td", [title, String(runs.length), ...cells.map(cell => cell.get(i) ?? "")]))));
  $("plot").ariaLabel = `${panels.map(panel => E.curves[panel].title).join("; ")}. ${$("notice").textContent} The table below has the numbers.`;
}
function plot(traces, isAny) {
  const {clientWidth: width, clientHeight: height} = $("plot"), faint = css("--faint");
  const line = {visible: isAny, gridcolor: css("--grid"), linecolor: faint, tickcolor: faint, ticks: "outside", zeroline: false, automargin: true, exponentformat: "power", separatethousands: true, fixedrange: matchMedia("(pointer: coarse)").matches};
  const scale = (key, axis) => now.log.split(",").includes(key) ? logarithmic(traces.filter(({yaxis}) => !axis || yaxis === axis), axis ? "y" : "x") : {type: "linear"};
  const titles = panels.map(panel => wrapped(inert(`${panel}: ${E.curves[panel].title}`), Math.max(20, Math.floor(width / 8))));
  const room = titles.map(title => (6 + 19 * title.split("<br>").length) / height), middle = panels.length > 1 ? .5 : 0;
  const domains = [[middle && middle + .03, 1], [0, middle - room[1]]];
  const annotations = titles.map((text, i) => ({text, y: domains[i][1], x: 0, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", align: "left", showarrow: false, font: {size: 15}}));
  Plotly.react("plot", traces, {width, height, margin: {t: room[0] * height, r: 16, l: 50, b: 50}, hovermode: "closest", paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: {family: "Georgia, serif", size: 13, color: css("--ink")}, showlegend: false, annotations: isAny ? annotations : [],
    xaxis: {...line, ...scale("x"), title: {text: now.clock === "steps" ? "step" : "theory time (learning rate × step)"}, anchor: panels.length > 1 ? "y2" : "y"},
    yaxis: {...line, ...scale("above", "y"), domain: domains[0]}, ...(panels.length > 1 ? {yaxis2: {...line, ...scale("below", "y2"), domain: domains[1]}} : {})}, {displayModeBar: false});
}
function wrapped(text, letters) { return text.replace(new RegExp(`(.{1,${letters}})(\\s|$)`, "g"), "$1<br>").replace(/<br>$/, ""); }

// One run, or the median of one group, before all others: what is pointed at, or else the chosen run.

function emphasise(run = now.run === "" ? null : +now.run, traces = []) {
  const {xaxis, yaxis, yaxis2} = $("plot")._fullLayout, make = (tag, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const lines = run === null ? traces.map(trace => [trace.yaxis === "y2" ? yaxis2 : yaxis, trace]) : panels.map((panel, i) => [i ? yaxis2 : yaxis, lineOf(E.curves[panel], run)]);
  $("over").replaceChildren(...lines.filter(([, {x}]) => x.length && xaxis.visible).map(([axis, {x, y}]) =>
    make("svg", {x: xaxis._offset, y: axis._offset, width: xaxis._length, height: axis._length},
      make("path", {d: "M" + x.map((time, i) => [xaxis.d2p(time), axis.d2p(y[i])]).filter(point => point.every(Number.isFinite)).join("L")}))));
  $("plot").classList.toggle("dimmed", lines.length > 0);
  $("about").textContent = run === null ? HINT : [`${name}, run ${run}: ${nameOf(run)}; rate ${+E.runs.rate[run].toPrecision(4)}; ends at step ${E.runs.last[run].toLocaleString("en-GB")} (${E.runs.stopped[run]})`,
    ...E.jobs[E.runs.job[run]]].join("\n");
}
function pointed({points: [point]}) {
  const {of, meta, line} = point.data;
  if (of) emphasise(of[point.pointNumber]);
  else emphasise(null, $("plot").data.filter(trace => trace.meta === meta && trace.quartiles && trace.line.dash === line.dash));
}

// A claim: what was measured, its interval, its band, and what it was measured on.

const number = value => ({"infinity": Infinity, "-infinity": -Infinity})[value] ?? value ?? NaN;
function showClaim(id) {
  const claim = DATA.claims[id], plots = [], part = (title, ...items) => items.length ? [element("h3", {textContent: title}), element("ul", {}, ...items)] : [];
  $("list").replaceChildren(...Object.entries(DATA.claims).map(([other, {verdict}]) => {
    const link = linkTo(other);
    link.dataset.mark = MARKS[verdict] ?? "?"; link.title = verdict; link.className = verdict.replaceAll(" ", "-");
    link.toggleAttribute("aria-current", other === id);
    return link;
  }));
  const item = textContent => element("li", {textContent}), counts = [[claim.censored, "censored"], [claim.diverged, "diverged"]].filter(([n]) => n).map(([n, what]) => `, ${n} ${what}`);
  const missing = claim.missing_blocks.length ? `; ${count(claim.missing_blocks.length, "block")} missing` : "";
  const blocks = claim.criteria.flatMap((criterion, i) => {
    const rows = [["all seeds", criterion], ...claim.halves.map(half => [half.seeds, half.criteria[i]])], drawing = element("div", {className: "estimate", role: "img"});
    const texts = rows.map(([seeds, {measured, verdict}]) => `${seeds}: ${measured}, ${verdict}`);
    plots.push([drawing, rows]);
    drawing.ariaLabel = `${criterion.quantity}. ${texts.join("; ")}; band: ${criterion.allowed}`;
    return [element("h3", {textContent: criterion.quantity}), element("p", {textContent: criterion.description}), drawing,
      element("p", {className: "measured"}, element("b", {textContent: criterion.measured}), `; band: ${criterion.allowed}; ${criterion.verdict}. ${texts.slice(1).join("; ")}`)];
  });
  $("claim").replaceChildren(element("h2", {}, id + " ", element("span", {className: claim.verdict.replaceAll(" ", "-"), textContent: `${MARKS[claim.verdict] ?? ""} ${claim.verdict}`})),
    element("p", {textContent: claim.statement}), element("p", {}, element("small", {textContent: `${claim.source}. The paper: ${claim.paper}.`})),
    element("p", {className: "reason", textContent: [`Why: ${claim.reason || "not said"}.`, ...claim.asides.map(aside => `${aside}.`)].join(" ")}),
    ...blocks, ...part(`Measured on ${count(claim.replicates, "run")}${counts.join("")}${missing}`, ...Object.entries(claim.experiments).map(([key, digest]) => {
      const E = Object.hasOwn(DATA.experiments, key) ? DATA.experiments[key] : null;
      return element("li", {}, E ? element("a", {href: addressOf([["experiment", key]]), textContent: key}) : key, E ? `: ${E.title}; ${count(E.runs.seed.length, "run")}` : ": theory", `; data ${digest.slice(0, 12)}`);
    })),
    ...part("Also measured, not judged", ...Object.entries(claim.others).map(([quantity, measured]) => item(`${quantity}: ${measured}`))), ...part("Notes", ...claim.notes.map(item)));
  for (const [drawing, rows] of plots) plotEstimates(drawing, rows);
}
function plotEstimates(drawing, rows) {
  const [[, {band, unit, quantity}]] = rows, found = rows.map(([seeds, {value, interval, verdict}]) => ({seeds, verdict, value: number(value), low: number(interval[0]), high: number(interval[1])}));
  const marks = [...band.map(number), ...found.flatMap(({value, low, high}) => [value, low, high])].filter(Number.isFinite);
  if (!found.some(({value}) => Number.isFinite(value))) { drawing.remove(); return; }
  const span = Math.max(...marks) - Math.min(...marks) || Math.abs(marks[0]) || 1, range = [Math.min(...marks) - .15 * span, Math.max(...marks) + .15 * span];
  const colours = {"reproduced": css("--yes"), "not reproduced": css("--no")}, clipped = x => Math.min(Math.max(x, range[0]), range[1]), [first, last] = band.map(number);
  const shown = found.filter(({value}) => Number.isFinite(value)), faint = css("--faint"), size = {width: drawing.clientWidth, height: 66 + 26 * rows.length};
  const reach = (end, sign) => shown.map(each => Number.isNaN(each[end]) ? 0 : sign * (clipped(each[end]) - each.value));
  const colour = shown.map(({verdict}) => colours[verdict] ?? css("--open"));
  Plotly.newPlot(drawing, shown.map((each, i) => ({x: [each.value], y: [each.seeds], mode: "markers", marker: {size: 10, color: colour[i]},
    error_x: {type: "data", symmetric: false, array: [reach("high", 1)[i]], arrayminus: [reach("low", -1)[i]], color: colour[i], thickness: 2}})), {...size, showlegend: false,
    margin: {t: 6, r: 16, l: 80, b: 48}, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: {family: "Georgia, serif", size: 13, color: css("--ink")},
    shapes: [{type: "rect", yref: "paper", y0: 0, y1: 1, x0: Number.isNaN(first) ? range[0] : first, x1: Number.isNaN(last) ? range[1] : last, fillcolor: css("--band"), line: {width: 0}, layer: "below"}],
    xaxis: {range, title: {text: inert(unit ? `${quantity} (${unit})` : quantity), standoff: 8}, gridcolor: css("--grid"), linecolor: faint, ticks: "outside", tickcolor: faint, zeroline: false, exponentformat: "power", separatethousands: true, nticks: Math.floor(size.width / 70)},
    yaxis: {categoryorder: "array", categoryarray: rows.map(([seeds]) => seeds).reverse(), range: [-.6, rows.length - .4], showgrid: false}}, {staticPlot: true});
}

async function start() {
  const packed = await fetch("data:application/gzip;base64," + $("plotly").textContent);
  document.head.append(element("script", {textContent: await new Response(packed.body.pipeThrough(new DecompressionStream("gzip"))).text()}));
  $("size").textContent = DATA.size;
  $("to-claims").href = addressOf([["claim", Object.keys(DATA.claims)[0] ?? ""]]);
  form.addEventListener("change", write);
  form.addEventListener("submit", event => event.preventDefault());
  addEventListener("hashchange", read);
  dark.addEventListener("change", read);
  Plotly.newPlot("plot", []);
  read();
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; read(); } });
  $("plot").on("plotly_hover", pointed);
  $("plot").on("plotly_unhover", () => emphasise());
  $("plot").on("plotly_relayout", () => emphasise());
  $("plot").on("plotly_click", ({points: [point]}) => { if (point.data.of) { form.run.value = point.data.of[point.pointNumber]; write(); } });
}
start();
