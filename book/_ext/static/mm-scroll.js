// What scrolls inside its own box (code, outputs, tables, wide formulas) can be reached with the keyboard. The theme
// does the same once, on load; here it also holds after a font arrives, something unfolds, or a formula is set.
(() => {
  const boxes = 'pre, .cell_output > .output, .pst-scrollable-table-container, .mm-table, mjx-container[display="true"]';
  const mark = found => { // all is written, then all is read: in turns, each box would lay the whole page out again
    for (const box of found) box.tabIndex = -1; // without the sticky first column of mm-page.css: it is narrower, and could undo its cause
    const over = found.map(box => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight);
    found.forEach((box, i) => { if (over[i]) box.tabIndex = 0; });
  };
  const sizes = new ResizeObserver(entries => mark(entries.map(entry => entry.target)));
  const watch = () => {
    const found = [...document.querySelectorAll(boxes)];
    mark(found);
    found.forEach(box => sizes.observe(box));
  };
  document.fonts.addEventListener("loadingdone", watch);
  addEventListener("load", async () => {
    watch();
    await window.MathJax?.startup?.promise;
    watch();
  });
})();
