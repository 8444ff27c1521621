// What a page does around its text: words explained in place, how far one has read, pages ticked, questions counted, the way
// back up.
// Plain links remain plain links without it; nothing is asked of a network; what is kept stays in this browser.
(() => {
  const make = (tag, props = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), props);
    made.append(...children);
    return made;
  };

  // ---- a term or a citation under the pointer, the focus or the finger
  function tips() {
    const rows = document.getElementById("mm-tips")?.content;
    if (!rows || !HTMLElement.prototype.showPopover) return;
    let box = null, owner = null, timer = 0;

    function hide() {
      clearTimeout(timer);
      if (!box) return;
      const old = box;
      box = null; // removing what has the focus calls hide() again
      owner.removeAttribute("aria-describedby");
      owner = null;
      old.remove();
    }

    function place() {
      const at = owner.getClientRects()[0] ?? owner.getBoundingClientRect(), edge = 8;
      const width = document.documentElement.clientWidth, size = box.getBoundingClientRect();
      const above = at.bottom + size.height + 3 * edge > innerHeight && at.top > size.height + 2 * edge;
      box.style.left = `${scrollX + Math.max(edge, Math.min(at.left - 12, width - size.width - edge))}px`;
      box.style.top = `${scrollY + (above ? at.top - size.height - edge : at.bottom + edge)}px`;
    }

    function show(link) {
      clearTimeout(timer);
      if (owner === link) return;
      hide();
      const row = rows.querySelector(`[data-for="${CSS.escape(link.dataset.tip)}"]`);
      const more = link.dataset.tip.startsWith("term-") ? "In the glossary" : "All references";
      // spans, and right behind the link: so it may stand in a paragraph, and Tab leads from the link into it
      const says = make("span", {id: "mm-tip-text", innerHTML: row.innerHTML});
      box = make("span", {className: "mm-tip", popover: "manual"}, says, " ", make("a", {href: link.href, textContent: more}));
      owner = link;
      link.after(box);
      link.setAttribute("aria-describedby", says.id);
      box.showPopover();
      place();
      box.addEventListener("pointerenter", () => clearTimeout(timer));
      box.addEventListener("pointerleave", leave);
      box.addEventListener("focusout", lost);
    }

    // a moment's grace, so that a pointer may travel from the link into the box
    const leave = event => { if (event.pointerType === "mouse") timer = setTimeout(hide, 250); };
    const lost = event => { if (event.relatedTarget !== owner && !box?.contains(event.relatedTarget)) hide(); };

    for (const link of document.querySelectorAll("a[data-tip]")) {
      link.removeAttribute("title"); // the box says it, and better
      let opens = false;
      link.addEventListener("pointerenter", event => {
        clearTimeout(timer);
        if (event.pointerType === "mouse" && owner !== link) timer = setTimeout(show, 120, link);
      });
      link.addEventListener("pointerleave", leave);
      link.addEventListener("pointerdown", event => { opens = event.pointerType !== "mouse" && owner !== link; });
      link.addEventListener("click", event => {
        if (!opens) return;
        event.preventDefault(); // the first tap shows, the second goes there
        opens = false;
        show(link);
      });
      link.addEventListener("focus", () => { if (link.matches(":focus-visible") && !opens) show(link); });
      link.addEventListener("blur", lost);
    }
    addEventListener("keydown", event => {
      if (event.key !== "Escape" || !box) return;
      const back = box.contains(document.activeElement) && owner;
      hide();
      back?.focus();
      hide(); // the focus showed it again
    });
    document.addEventListener("pointerdown", event => {
      if (box && !box.contains(event.target) && !owner.contains(event.target)) hide();
    });
    addEventListener("resize", hide);
  }

  // ---- how far down the page one is, and the way back up
  function progress(article) {
    const bar = make("div", {className: "mm-progress"});
    bar.setAttribute("aria-hidden", "true");
    const top = make("button", {type: "button", className: "mm-top", hidden: true, textContent: "↑ Top"});
    top.setAttribute("aria-label", "Back to the top of the page");
    top.addEventListener("click", () => {
      scrollTo({top: 0, behavior: "instant"});
      document.getElementById("main-content").tabIndex = -1;
      document.getElementById("main-content").focus({preventScroll: true});
    });
    document.body.append(bar, top);
    const move = () => {
      const long = article.getBoundingClientRect().bottom + scrollY - innerHeight;
      bar.style.transform = `scaleX(${long > 0 ? Math.min(1, scrollY / long) : 0})`;
      top.hidden = scrollY < 1.5 * innerHeight;
    };
    addEventListener("scroll", move, {passive: true});
    addEventListener("resize", move);
    move();
  }

  // ---- pages one has ticked, kept in this browser only
  function ticks(article) {
    const key = "mm-read", root = new URL(document.documentElement.dataset.content_root ?? "./", location.href);
    const name = link => {
      const url = new URL(link, location.href);
      return url.href.startsWith(root.href) ? url.pathname.slice(root.pathname.length) : "";
    };
    const here = name(location.href);
    let read;
    try {
      read = new Set(JSON.parse(localStorage.getItem(key) ?? "[]"));
      localStorage.setItem(key, JSON.stringify([...read])); // where nothing can be kept, nothing is offered
    } catch { return; }
    const button = make("button", {type: "button", className: "mm-read"});
    const draw = () => {
      button.setAttribute("aria-pressed", read.has(here));
      button.textContent = read.has(here) ? "Read" : "Mark this page as read";
      document.querySelectorAll(".mm-tick").forEach(tick => tick.remove());
      for (const link of document.querySelectorAll(".bd-sidebar-primary nav a[href], .mm-stations a[href]"))
        if (read.has(name(link.href))) {
          const tick = make("span", {className: "mm-tick"}, make("span", {className: "visually-hidden", textContent: " (read)"}));
          link.append(tick);
        }
    };
    button.addEventListener("click", () => {
      read.has(here) ? read.delete(here) : read.add(here);
      try { localStorage.setItem(key, JSON.stringify([...read])); } catch { /* full: the tick lasts for this page */ }
      draw();
    });
    article.append(make("p", {className: "mm-read-line"}, button));
    draw();
  }

  // ---- questions answered right, counted in the page's contents (explore/ask.js marks and keeps them), and forgotten
  function answers(article) {
    const asks = [...article.querySelectorAll("mm-explore-ask")];
    if (!asks.length) return;
    const right = some => some.filter(ask => ask.hasAttribute("data-right")).length;
    const forget = make("button", {type: "button", className: "mm-forget", textContent: "Forget my answers on this page"});
    const draw = () => {
      document.querySelectorAll(".mm-asked").forEach(old => old.remove());
      for (const link of document.querySelectorAll(".bd-sidebar-secondary .toc-entry a[href^='#']")) {
        const section = document.getElementById(decodeURIComponent(link.hash.slice(1)));
        const inside = asks.filter(ask => section?.contains(ask));
        if (!inside.length) continue;
        const done = right(inside), all = done === inside.length;
        const seen = make("span", {className: all ? "mm-tick" : "", textContent: all ? "" : `${done}/${inside.length}`});
        seen.setAttribute("aria-hidden", "true");
        const said = make("span", {className: "visually-hidden", textContent: ` (${done} of ${inside.length} questions answered)`});
        link.append(make("span", {className: "mm-asked"}, said, seen));
      }
      forget.hidden = !right(asks);
    };
    forget.addEventListener("click", () => {
      asks.forEach(ask => ask.forget?.());
      (article.querySelector(".mm-read") ?? asks.at(-1)).focus(); // the button hides itself
    });
    article.addEventListener("mm-ask", draw);
    (article.querySelector(".mm-read-line") ?? article.appendChild(make("p", {className: "mm-read-line"}))).append(" ", forget);
    draw();
  }

  // ---- code and printed output that would scroll in the column take the margin as well (mm-page.css gives its width)
  function margins() {
    const blocks = ["div[class*=highlight-]", ".cell > .cell_input", ".cell > details > .cell_input", ".cell > .cell_output > .output:is(.text_plain, .stream)",
      ".cell > .cell_output figure.mm-source"].map(block => `article section > ${block}:not(.mm-wide)`).join();
    const widen = () => [...document.querySelectorAll(blocks)]
      .filter(block => [...block.querySelectorAll("pre")].some(pre => pre.scrollWidth > pre.clientWidth + 1))
      .forEach(block => block.classList.add("mm-wide"));
    document.fonts.ready.then(widen);
    document.addEventListener("toggle", widen, true); // what was folded had no width
    addEventListener("resize", widen);
  }

  addEventListener("DOMContentLoaded", () => {
    tips();
    margins();
    const article = document.querySelector("article.bd-article");
    if (!article?.querySelector("section > h1")) return;
    progress(article);
    ticks(article);
    answers(article);
  });
})();
