// Runs before the page is drawn, so that a dark room stays dark.
(() => {
  const wished = localStorage.getItem("pointpet-theme");
  const dark = wished ? wished === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
