import type { NextConfig } from "next";

const config: NextConfig = {
  reactStrictMode: true,
  poweredByHeader: false,
  // This folder, and not the one above it that has a lock file as well.
  turbopack: { root: import.meta.dirname },
};

export default config;
