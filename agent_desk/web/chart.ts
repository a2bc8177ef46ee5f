// Owns how the day's curves are drawn: callers and rate on the left, their wait on the right. The page works without it.

import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { type ECharts, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import type { Slot } from "./curves.js";

use([BarChart, LineChart, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer]);

let chart: ECharts | null = null;

export function draw(node: HTMLElement, slots: readonly Slot[], timeOf: (atUs: number) => string): void {
  chart ??= init(node);
  chart.resize();
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const [ink, line, accent, ready, warn] = ["--text-2", "--line", "--accent", "--ready", "--ring"].map(colour);
  const times = slots.map((slot) => timeOf(slot.at_us));
  const axis = { axisLabel: { color: ink }, axisLine: { lineStyle: { color: line } }, splitLine: { lineStyle: { color: line } } };
  const whole = { ...axis, type: "value" as const, minInterval: 1, nameTextStyle: { color: ink } };
  chart.setOption(
    {
      animation: false,
      // Markup with a style of its own would be refused by the page's policy.
      tooltip: { trigger: "axis", renderMode: "richText" },
      legend: { top: 0, textStyle: { color: ink }, itemHeight: 10 },
      grid: [
        { left: 44, right: "44%", top: 44, bottom: 24 },
        { left: "62%", right: 16, top: 44, bottom: 24 },
      ],
      xAxis: [0, 1].map((gridIndex) => ({ ...axis, type: "category" as const, gridIndex, data: times, splitLine: { show: false } })),
      yAxis: [
        { ...whole, name: "人次" },
        { ...whole, name: "%", min: 0, max: 100, splitLine: { show: false } },
        { ...whole, name: "秒", gridIndex: 1 },
      ],
      series: [
        { name: "来电", type: "bar", barMaxWidth: 24, color: line, data: slots.map((slot) => slot.calls) },
        { name: "接通", type: "bar", barMaxWidth: 24, barGap: "-100%", color: accent, data: slots.map((slot) => slot.answered) },
        {
          name: "按时接通率",
          type: "line",
          yAxisIndex: 1,
          color: ready,
          data: slots.map((slot) => (slot.answered ? Math.floor((slot.in_time * 100) / slot.answered) : null)),
        },
        {
          name: "平均等待",
          type: "line",
          xAxisIndex: 1,
          yAxisIndex: 2,
          color: warn,
          data: slots.map((slot) => (slot.answered ? Math.round(slot.wait_ms / 100) / 10 : null)),
        },
      ],
    },
    true,
  );
}
