"use strict";
(() => {
  const find = (selector, from = document) => from.querySelector(selector);
  const findAll = (selector, from = document) => [...from.querySelectorAll(selector)];

  /* An element with attributes, text and children; text is never read as markup. */
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null));
    return element;
  };

  /* --- theme ---------------------------------------------------------------------------------- */
  const themes = ["system", "light", "dark"];
  const themeButton = find("#theme");
  let theme = "system";
  const showTheme = () => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    themeButton.textContent = `Theme: ${theme}`;
  };
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    showTheme();
  });

  /* --- sortable tables ------------------------------------------------------------------------ */
  const NUMBER = /^[+\-−]?\d[\d,]*\.?\d*(e[+-]?\d+)?/i;
  const readValue = (cell) => {
    if (cell.dataset.value !== undefined) return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    const text = cell.textContent.trim();
    if (text === "" || text === "–") return null;
    const found = text.match(NUMBER);
    return found ? Number(found[0].replace(/,/g, "").replace("−", "-")) : text;
  };
  /* Numbers before texts; what has no value always comes last. */
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  };
  const sort = (table, index, direction) => {
    const sign = direction === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [readValue(row.cells[index]), row]);
    rows.sort((a, b) => compare(a[0], b[0], sign));
    body.append(...rows.map(([, row]) => row));
    findAll("thead th", table).forEach((th, n) => th.setAttribute("aria-sort", n === index ? direction : "none"));
  };
  for (const table of findAll("table.sortable")) {
    findAll("thead th", table).forEach((th, index) => {
      const button = make("button", { type: "button" }, ...th.childNodes);
      th.append(button);
      th.setAttribute("aria-sort", "none");
      const first = index === 0 || th.dataset.ascending !== undefined ? "ascending" : "descending";
      button.addEventListener("click", () => {
        const now = th.getAttribute("aria-sort");
        const other = first === "ascending" ? "descending" : "ascending";
        sort(table, index, now === first ? other : first);
      });
    });
  }

  /* --- figures: views and highlights ---------------------------------------------------------- */
  for (const section of findAll("section.figure")) {
    const views = findAll(".view", section);
    const choice = find(".views", section);
    if (choice) {
      choice.hidden = false;
      findAll(".view-name", section).forEach((name) => { name.hidden = true; });
      const show = () => {
        const chosen = find("input:checked", choice).value;
        views.forEach((view) => { view.hidden = view.dataset.view !== chosen; });
      };
      choice.addEventListener("change", show);
      show();
    }
    const keys = findAll(".legend button", section);
    const highlight = (series) => {
      section.classList.toggle("highlighting", series !== null);
      findAll("svg [data-series]", section).forEach((mark) => {
        mark.classList.toggle("on", mark.dataset.series === series);
      });
    };
    let pressed = null;
    for (const key of keys) {
      key.addEventListener("click", () => {
        pressed = pressed === key.dataset.series ? null : key.dataset.series;
        keys.forEach((other) => other.setAttribute("aria-pressed", String(other.dataset.series === pressed)));
        highlight(pressed);
      });
      key.addEventListener("mouseenter", () => highlight(key.dataset.series));
      key.addEventListener("mouseleave", () => highlight(pressed));
    }
  }

  /* --- examples ------------------------------------------------------------------------------- */
  const source = find("#data");
  if (!source) return;
  const { rows, tasks } = JSON.parse(source.textContent);
  const form = find("#filters"), list = find("#list"), more = find("#more"), count = find("#count");
  const PAGE = 40;
  const fields = form.elements;
  form.hidden = false;

  tasks.forEach((task, n) => fields.task.append(make("option", { value: n }, task.name)));
  for (const name of ["first", "second"]) {
    fields[name].append(make("option", { value: "" }, "any method"));
    rows.forEach((row, n) => fields[name].append(make("option", { value: n }, row.name)));
  }

  const better = (task, a, b) => (task.higher ? a > b : a < b);
  const scoreOf = (example, row) => {
    const answer = example.answers.find((one) => one.row === Number(row));
    return answer ? answer.score : null;
  };
  const includes = (example, text) => [
    example.input, example.gold, ...example.answers.flatMap((answer) => answer.texts.map((one) => one.text)),
  ].some((one) => one.toLowerCase().includes(text));
  const beats = (task, example, first, second) => {
    const mine = first === "" ? null : scoreOf(example, first);
    const theirs = second === "" ? null : scoreOf(example, second);
    if (first !== "" && second !== "") return mine !== null && theirs !== null && better(task, mine, theirs);
    const others = example.answers
      .filter((answer) => !rows[answer.row].bound && answer.score !== null)
      .filter((answer) => answer.row !== Number(first === "" ? second : first))
      .map((answer) => answer.score);
    if (first !== "") return mine !== null && others.some((other) => better(task, mine, other));
    return theirs !== null && others.some((other) => better(task, other, theirs));
  };
  const matches = (task, example) => {
    const user = fields.user.value.trim(), text = fields.text.value.trim().toLowerCase();
    const first = fields.first.value, second = fields.second.value;
    return (user === "" || example.user === user)
      && (fields.show.value !== "differ" || example.spread > 0)
      && (fields.show.value !== "failed" || example.failed)
      && ((first === "" && second === "") || beats(task, example, first, second))
      && (text === "" || includes(example, text));
  };

  const ordinal = (n) => `${n}${["th", "st", "nd", "rd"][n % 100 > 10 && n % 100 < 14 ? 0 : n % 10] || "th"}`;
  const format = (score) => (score === null ? "–" : Number.isInteger(score) ? String(score) : score.toFixed(3));
  const block = (title, ...children) => make("div", {}, make("h3", {}, title), ...children);
  const scroll = (name, table) => make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": name }, table);
  const text = (value) => make("p", { class: "text", dir: "auto" }, value);

  const describeAnswer = (answer, seeds) => {
    const cell = make("td", { dir: "auto" });
    answer.texts.forEach((one, n) => {
      if (n > 0) cell.append(make("br"));
      if (one.state) cell.append(make("span", { class: "state" }, one.state), " ");
      cell.append(one.text === "" ? "(empty)" : one.text);
      if (seeds > 1 && answer.texts.length > 1) cell.append(make("small", {}, ` ${one.seeds} of ${seeds} seeds`));
    });
    const asides = [
      answer.cut ? `read ${answer.cut[0]} of the query's ${answer.cut[1]} tokens` : null, answer.note,
    ].filter(Boolean);
    if (asides.length) cell.append(make("br"), make("small", {}, asides.join("; ")));
    return cell;
  };
  const describeAnswers = (task, example) => {
    const table = make("table", { class: "answers" }, make("thead", {}, make("tr", {},
      make("th", { scope: "col" }, "method"),
      make("th", { scope: "col", class: "number" }, `${task.metric ?? "score"} ${task.higher ? "↑" : "↓"}`),
      make("th", { scope: "col" }, "answer"))));
    const body = make("tbody");
    const scores = example.answers.filter((answer) => !rows[answer.row].bound).map((answer) => answer.score);
    const best = scores.some((score) => score !== null) && example.spread > 0
      ? scores.reduce((a, b) => (better(task, b, a) ? b : a)) : null;
    for (const answer of [...example.answers].sort((a, b) => rows[a.row].bound - rows[b.row].bound)) {
      const row = rows[answer.row];
      const seeds = answer.texts.reduce((sum, one) => sum + one.seeds, 0);
      const isBest = best !== null && answer.score === best && !row.bound;
      const score = make("td", { class: `number ${isBest ? "better" : ""}` }, format(answer.score));
      body.append(make("tr", row.bound ? { class: "bound" } : {}, make("th", { scope: "row" }, row.name),
        score, describeAnswer(answer, seeds)));
    }
    table.append(body);
    return scroll("Answers", table);
  };
  const describeItem = (item) => {
    const marks = make("td");
    for (const [row, weight] of item.weights) {
      marks.append(make("span", { class: "chip" },
        make("span", { class: "bar", style: `width: ${(4 * weight).toFixed(2)}rem` }),
        `${rows[row].name} ${(100 * weight).toFixed(1)}%`));
    }
    for (const [row, rank] of item.read) marks.append(make("span", { class: "chip" }, `${rows[row].name} ${ordinal(rank)}`));
    if (item.newest) marks.append(make("span", { class: "chip" }, "newest"));
    const words = make("td", { dir: "auto" }, item.text);
    if (item.response) words.append(" → ", make("b", {}, item.response));
    if (item.date) words.append(make("small", {}, ` ${item.date}`));
    return make("tr", {}, words, marks);
  };
  const describeHistory = (example) => {
    const title = `History: ${example.history.length} of ${example.length} items`;
    if (example.length === 0) return block("History", make("p", { class: "text" }, "empty"));
    const table = make("table", {}, make("thead", {}, make("tr", {},
      make("th", { scope: "col" }, "item"), make("th", { scope: "col" }, "who read it"))));
    table.append(make("tbody", {}, ...example.history.map(describeItem)));
    return block(title, scroll("History", table));
  };
  const describe = (task, example) => make("div", { class: "detail" },
    make("div", { class: "pair" }, block("Input", text(example.input)), block("Gold", text(example.gold))),
    block("Answers", describeAnswers(task, example)), describeHistory(example));

  let shown = [], task = tasks[0], drawn = 0;
  const summarize = (example) => {
    const scores = example.answers.filter((answer) => !rows[answer.row].bound && answer.score !== null).map((a) => a.score);
    const parts = [`user ${example.user}`];
    if (scores.length) {
      const low = Math.min(...scores), high = Math.max(...scores);
      parts.push(low === high ? `all ${format(low)}` : `${format(low)} to ${format(high)}`);
    }
    if (example.failed) parts.push("missing or unreadable");
    return parts.join(" · ");
  };
  const draw = (example) => {
    const sign = make("span", { "aria-hidden": "true" }, "▸");
    const button = make("button", { type: "button", class: "open", "aria-expanded": "false" }, sign,
      make("span", { class: "line", dir: "auto" }, `${example.id}: ${example.input}`),
      make("span", { class: "sum" }, summarize(example)));
    const item = make("li", {}, button);
    const of = task;
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      sign.textContent = open ? "▾" : "▸";
      if (open) item.append(describe(of, example));
      else find(".detail", item).remove();
    });
    return item;
  };
  const drawMore = () => {
    list.append(...shown.slice(drawn, drawn + PAGE).map(draw));
    drawn = Math.min(shown.length, drawn + PAGE);
    more.hidden = drawn >= shown.length;
  };
  const refresh = () => {
    task = tasks[Number(fields.task.value)];
    if (!task) return;
    shown = task.examples.filter((example) => matches(task, example));
    drawn = 0;
    list.replaceChildren();
    count.textContent = `${shown.length} of ${task.examples.length} examples match. The page holds ${task.how}.`;
    drawMore();
  };
  const listUsers = () => {
    const users = [...new Set((tasks[Number(fields.task.value)]?.examples ?? []).map((example) => example.user))];
    find("#users").replaceChildren(...users.sort().map((user) => make("option", { value: user })));
  };
  more.addEventListener("click", () => {
    const first = drawn;
    drawMore();
    find("button", list.children[first])?.focus();
  });
  form.addEventListener("input", refresh);
  fields.task.addEventListener("change", listUsers);
  form.addEventListener("reset", () => setTimeout(() => { listUsers(); refresh(); }));
  form.addEventListener("submit", (event) => event.preventDefault());
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = event.target.closest(".examples > li");
    if (!step || !at || !event.target.classList.contains("open")) return;
    const next = step > 0 ? at.nextElementSibling : at.previousElementSibling;
    if (next) { event.preventDefault(); find(".open", next).focus(); }
  });
  listUsers();
  refresh();
})();
