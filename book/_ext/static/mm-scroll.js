// What scrolls inside its own box (code, outputs, tables, wide formulas) can be reached with the keyboard. The theme
// does the same once, on load; here it also holds after a font arrives, something unfolds, or a formula is set.
(() => {
  const boxes = 'pre, .cell_output > .output, .pst-scrollable-table-container, .mm-table, mjx-container[display="true"]';
  const mark = box => {
    box.tabIndex = -1; // measured without the sticky first column of mm-page.css: it is narrower, and could undo its cause
    box.tabIndex = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight ? 0 : -1;
  };
  const sizes = new ResizeObserver(entries => entries.forEach(entry => mark(entry.target)));
  const watch = () => document.querySelectorAll(boxes).forEach(box => { mark(box); sizes.observe(box); });
  document.fonts.addEventListener("loadingdone", watch);
  addEventListener("load", async () => {
    watch();
    await window.MathJax?.startup?.promise;
    watch();
  });
})();
