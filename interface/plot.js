// A chart that lives as long as the page: what is new is drawn into it, and what was zoomed to stays (decision 0027).

const library = (address) => (window.makeUsRichPlotly ??= new Promise((resolve, reject) => {
  if (window.Plotly) return resolve(window.Plotly);
  // The page of the forecast has asked for it already, long before this script came.
  const asked = document.querySelector(`script[src="${address}"]`);
  const script = asked ?? Object.assign(document.createElement("script"), { src: address });
  script.addEventListener("load", () => resolve(window.Plotly));
  script.addEventListener("error", () => reject(new Error(`${address} cannot be loaded`)));
  if (!asked) document.head.append(script);
}));

const square = (path) => ({ width: 24, height: 24, path });

const SAVE = {
  name: "Save as PNG",
  title: "Save as PNG",
  icon: square("M9 3 7.5 5H4v14h16V5h-3.5L15 3zm3 5a4 4 0 1 1 0 8 4 4 0 0 1 0-8z"),
  click: (chart) => window.Plotly.downloadImage(chart, chart.makeUsRichPicture),
};

const FULL = {
  name: "Full screen",
  title: "Full screen",
  icon: square("M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z"),
  click: (chart) => (document.fullscreenElement ? document.exitFullscreen() : chart.requestFullscreen()),
};

// Never another one: Plotly begins anew with a configuration that differs, and what was zoomed to is lost.
const CONFIG = {
  displaylogo: false,
  showSendToCloud: false,  // A chart is nobody's business but its reader's.
  modeBarButtonsToRemove: ["toImage", "autoScale2d", "lasso2d", "select2d"],
  modeBarButtonsToAdd: [SAVE, FULL],
};

const fitting = (chart) => ({
  width: chart.clientWidth,
  height: document.fullscreenElement === chart ? window.innerHeight : chart.makeUsRichHeight,
});

const follow = (Plotly, chart) => {
  const resized = new ResizeObserver(() => {
    const { width, height } = fitting(chart);
    const drawn = chart._fullLayout;
    if (width && drawn && (width !== drawn.width || height !== drawn.height)) Plotly.relayout(chart, { width, height });
  });
  resized.observe(chart);
  return () => {
    resized.disconnect();
    Plotly.purge(chart);
  };
};

// Not by Streamlit, which makes HTML of a component anew when it likes, and the chart in it would be gone.
const place = (parentElement) => {
  const found = parentElement.querySelector(":scope > .mur-plot");
  if (found) return found;
  const made = Object.assign(document.createElement("div"), { className: "mur-plot" });
  made.setAttribute("role", "figure");
  parentElement.append(made);
  return made;
};

export default async function ({ data, parentElement }) {
  const chart = place(parentElement);
  const { data: traces, layout } = JSON.parse(data.figure);
  chart.makeUsRichHeight = layout.height;
  chart.style.height = `${layout.height}px`;
  chart.makeUsRichPicture = data.picture;
  chart.setAttribute("aria-label", data.alt);
  const Plotly = await library(data.library);
  if (!chart.isConnected) return () => {};
  await Plotly.react(chart, traces, { ...layout, ...fitting(chart) }, CONFIG);
  return (chart.makeUsRichEnd ??= follow(Plotly, chart));
}
