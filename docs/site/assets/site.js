// What scrolls on a small screen is reached by keyboard: tables, which the theme wraps when the page is there, and wide drawings.
const wide = ".md-typeset__scrollwrap:not([tabindex]), .md-typeset p:not([tabindex]):has(> img:only-child[src$='.svg'])";
const reach = () => {
  for (const one of document.querySelectorAll(wide)) one.tabIndex = 0;
};
new MutationObserver(reach).observe(document.documentElement, { childList: true, subtree: true });
reach();
