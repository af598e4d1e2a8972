// Exchanges a ticket for the login cookie, or deletes the cookie, and reloads the page when another tab did (ADR 0018).

const KEY = "make-us-rich-login";
const sent = (window.makeUsRichTickets ??= new Set());
window.onstorage = (event) => event.key === KEY && location.reload();

// Another tab may have changed the login after this page was requested and before this script ran.
function reloadIfChanged() {
  const changed = localStorage.getItem(KEY);
  if (sent.size || !(changed > performance.timeOrigin) || sessionStorage.getItem(KEY) === changed) return;
  sessionStorage.setItem(KEY, changed); // Once for each change, whatever the clock does.
  location.reload();
}

export default async function ({ data }) {
  if (!data.ticket) return reloadIfChanged();
  if (sent.has(data.ticket)) return;
  sent.add(data.ticket);
  const headers = { [data.header]: data.ticket };
  await fetch(data.path, { method: data.method, headers, credentials: "same-origin" });
  localStorage.setItem(KEY, Date.now());
}
