import{u as t,x as o}from"./chunk-VJO4UDIU.js";function e(){return o("h2",{children:t().settings})}export{e as default};
