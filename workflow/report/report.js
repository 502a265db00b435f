// What Snakemake's report leaves to be wished: a menu that leads where it says, that a phone has room
// for, and that a keyboard and a screen reader can use. Its components are React's; `e` makes one.
"use strict";
{
  const NAMES = { home: "Home", x: "Close the menu", menu: "Open the menu", eye: "Show it", "information-circle": "About it" };
  const narrow = matchMedia("(max-width: 800px)");
  const front = () => document.getElementById("front");

  // Home is our first page alone, without a list of metadata; the graph of rules stands without it.
  const page = workflow_desc;
  workflow_desc = "";
  MetaData.prototype.render = () => e("div", { dangerouslySetInnerHTML: { __html: page } });

  // A link that is only an icon has a name; an icon beside a word has a class.
  const drawIcon = Icon.prototype.render;
  Icon.prototype.render = function () {
    const name = !this.props.className && NAMES[this.props.iconName];
    return React.cloneElement(drawIcon.call(this), name ? { role: "img", "aria-label": name } : { "aria-hidden": true });
  };

  // Every view opens at its top, and on a phone the menu makes way for it.
  function lead() {
    const setView = app.setView;
    app.setView = (view) => {
      setView({ ...view, hideNavbar: view.hideNavbar || (narrow.matches && Boolean(view.content)) });
      if (view.content) scrollTo(0, 0);
    };
    app.setView({ content: "metadata" });
    document.title = document.querySelector("#front h1")?.textContent ?? document.title;
    follow();
  }

  // An address such as report.html#fig6 leads there, whatever is shown.
  function follow() {
    const id = location.hash.slice(1);
    if (!id) return;
    if (!front()) app.setView({ content: "metadata" });
    setTimeout(() => document.getElementById(id)?.scrollIntoView());
  }
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.('#app a[href="#"]')) event.preventDefault(); // it would scroll to the top
  });

  // On a phone, where the menu lies over the page, Escape closes it, and the focus stays at its button.
  const button = (name) => document.querySelector(`#app [aria-label="${name}"]`)?.closest("a");
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !narrow.matches || document.querySelector("#app nav.w-0")) return;
    button("Close the menu")?.click();
    setTimeout(() => button("Open the menu")?.focus());
  });

  // What Snakemake's elements lack, whenever it has drawn some.
  function dress() {
    const give = (selector, attribute, value) =>
      document.querySelectorAll(`#app ${selector}`).forEach((element) => element.setAttribute(attribute, value));
    give("nav h1 img", "alt", "");
    give("nav:has(h1)", "aria-label", "Snakemake's menu");
    give("nav nav", "aria-label", "Where you are, and search");
    give("nav input[type=text]", "aria-label", "Search the results");
    give("nav:has(h1) ~ div", "role", "main");
    give("details[title] > summary", "aria-label", "Save or view this drawing");
    mark();
  }

  // The index marks the section that is read.
  function mark() {
    const links = [...document.querySelectorAll("#front .index a[href^='#']")];
    const at = (link) => document.querySelector(link.hash).getBoundingClientRect().top;
    const read = links.filter((link) => at(link) < 120).pop() ?? links[0];
    if (read) read.closest(".index").scrollLeft = read.offsetLeft - 100;
    links.forEach((link) => (link === read ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  }
  addEventListener("scroll", mark, { passive: true });

  let led = false;
  function drawn() {
    if (!led && front()) (led = true), lead();
    dress();
  }
  new MutationObserver(drawn).observe(document.getElementById("app"), { childList: true, subtree: true });
  drawn();
}
