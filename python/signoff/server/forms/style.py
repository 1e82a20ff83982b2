"""The one style of all pages; its digest stands in their Content-Security-Policy."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--dim:#57606a;--line:#d0d7de;--good:#116329;
--bad:#b42318;--link:#0b57d0;--soft:#eef1f4;--edge:#7d8590}
@media(prefers-color-scheme:dark){:root{--bg:#0f1318;--card:#181d24;--ink:#e6eaef;--dim:#9aa6b2;--line:#39424d;
--good:#2f8f4e;--bad:#f2796b;--link:#8ab4f8;--soft:#222932;--edge:#6e7a87}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:42rem;margin:2rem auto;padding:1.5rem;background:var(--card);border:1px solid var(--line);
border-radius:12px}
@media(max-width:44rem){main{margin:0;border:0;border-radius:0;min-height:100vh;padding:1rem}}
h1{font-size:1.4rem;line-height:1.25;margin:0 0 1rem}h2{font-size:1.05rem;margin:1.5rem 0 .5rem}
.lines{white-space:pre-line}p{margin:.4rem 0}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;
border-bottom:1px solid var(--line)}th{font-weight:600;color:var(--dim);width:35%}td>ul{margin:0;padding-left:1.1rem}
.many th{width:auto}td>table{margin-top:-.4rem}li>table{margin-bottom:.6rem}
a{color:var(--link)}hr{border:0;border-top:1px solid var(--line)}
.said>:first-child{margin-top:0}.said>*{margin:.7rem 0}.said ul,.said ol{padding-left:1.4rem}.said th{width:auto}
.said li>p{margin:.2rem 0}.said .end{text-align:right}.said .center{text-align:center}
.said h2,.said h3,.said h4,.said h5,.said h6{font-size:1.05rem;margin:1.2rem 0 .4rem}
.said blockquote{margin-left:0;padding-left:.9rem;border-left:3px solid var(--line);color:var(--dim)}
code{font:.9em ui-monospace,monospace;background:var(--soft);padding:.1em .3em;border-radius:4px}
pre{background:var(--soft);padding:.7rem .9rem;border-radius:8px;overflow-x:auto}pre code{padding:0}
form{margin-top:1.5rem;padding-top:.5rem;border-top:1px solid var(--line)}
.field{margin:.9rem 0}label{font-weight:600}.option{display:block;font-weight:400;padding:.2rem 0}
small,.help{color:var(--dim);font-size:.88rem;font-weight:400}
input:not([type=checkbox]):not([type=radio]),select,textarea{display:block;width:100%;margin-top:.25rem;padding:.55rem;
font:inherit;color:inherit;background:var(--card);border:1px solid var(--edge);border-radius:6px}
input[type=checkbox],input[type=radio]{width:1.1rem;height:1.1rem;margin-right:.5rem;vertical-align:-.15rem}
[aria-invalid=true]{border-color:var(--bad)!important}
fieldset{border:1px solid var(--line);border-radius:8px;margin:.9rem 0;padding:.4rem .9rem .7rem;min-width:0}
legend{font-weight:600;padding:0 .3rem}
input:not(:checked)+label+.inner{display:none}.union>label,.union>input{margin-top:.4rem}.union>label::after{content:"";display:block}
.inner{padding-left:.9rem;border-left:3px solid var(--line)}
.error{color:var(--bad);font-weight:600}div.error,div.good,div.note{padding:.6rem .9rem;border-radius:8px;
background:var(--soft);border-left:4px solid var(--line);margin:.8rem 0}
div.error{border-color:var(--bad)}
div.error a{color:inherit}div.error ul{margin:.4rem 0;padding-left:1.2rem;font-weight:400}
div.good{border-color:var(--good)}
.actions{display:flex;flex-wrap:wrap;gap:.7rem;margin-top:1.2rem}
button{font:inherit;font-weight:600;min-height:44px;padding:.5rem 1.2rem;border-radius:8px;border:1px solid var(--line);
background:var(--soft);color:inherit;cursor:pointer}
button.positive{background:#116329;border-color:#116329;color:#fff}
button.negative{background:#b42318;border-color:#b42318;color:#fff}
button.add{min-height:36px;padding:.2rem .8rem}
button.first{position:absolute;left:-9999px}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
"""
