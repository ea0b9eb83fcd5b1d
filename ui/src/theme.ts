// Loaded before the first paint, so that a chosen theme does not flash. app/appearance.ts changes it later.
try {
  const theme = localStorage.getItem('skein.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; the system's theme is a good one.
}
