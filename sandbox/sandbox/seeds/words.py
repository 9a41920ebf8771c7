"""Word lists from which the seeds make names. All persons, companies and numbers are invented."""

# ruff: noqa: RUF001, SIM905 - real names have odd letters; lists of words read best as text

from __future__ import annotations

from typing import Final

# What a supplier's name begins with: surnames and trade names as they occur in the UK and Ireland.
SUPPLIER_STARTS: Final = (
    "Abbey Abbott Albion Alder Anglesey Ashdown Atlas Avon Ballymount Bannerman Barrow Beacon Bellini Birch Bramble"
    " Brennan Brightwater Byrne Cairn Calder Carrick Castlegate Celtic Claddagh Clarendon Clover Coastline"
    " Conneely Copperfield Corrib Crosshaven Cumbria Dalkey Delaney D'Arcy Dunmore Eastgate Emerald Fáilte"
    " Fairweather Fenwick Fitzgerald Foyle Galway García Glanmire Glendale Granite Grüner Hallmark Harbour Hartley"
    " Hawthorn Hibernia Highfield Holborn Ironbridge Kavanagh Kestrel Kilbride Kingfisher Lakeland Lansdowne"
    " Larkspur Leinster Liffey Lomond Łukasiewicz Meadow Mercia Merrion Midland Moorgate Müller Munster"
    " Nightingale Norfolk Nørgaard Northwind O'Brien O'Connor O'Shea Oakfield Octagon Ó'Súilleabháin Orchard Ormond"
    " Pembroke Pendle Pennine Phoenix Pinnacle Quayside Ravenhill Redwood Riverside Rosslare Sandymount"
    " Saltmarsh Señorío Shannon Silverstone Skerries Solent Sparrow Stonebridge Strandhill Swift Tamar Thistle"
    " Thornbury Tolka Trafalgar Trent Trinity Tyndall Ulster Underwood Vale Viaduct Wexford Whitestone Wicklow"
    " Willow Windermere Wyndham Yarrow Yew Zenith"
).split()

SUPPLIER_TRADES: Final = (
    "Air Conditioning,Architects,Building Supplies,Cabling,Catering,Chemicals,Cleaning Services,Consulting,Couriers"
    ",Crane Hire,Data Centres,Design Studio,Electrical,Electronics,Energy,Engineering,Environmental,Events"
    ",Facilities,Fire & Security,Fleet Services,Flooring,Freight,Glazing,Graphics,Groundworks,Hire Centre,Insurance"
    ",IT Support,Joinery,Landscapes,Lifts,Lighting,Logistics,Marketing,Metalworks,Networks,Office Supplies"
    ",Packaging,Paints,Plant Hire,Plumbing & Heating,Printing,Property,Recruitment,Recycling,Roofing,Safety"
    ",Scaffolding,Signs,Software,Solar,Stationery,Surveyors,Telecoms,Timber,Tools,Training,Transport,Travel"
    ",Tyres,Uniforms,Vehicle Rental,Waste,Water,Windows"
).split(",")

# Legal forms, some with the characters that break careless XML and CSV.
SUPPLIER_ENDS: Final = (
    "Ltd",
    "Limited",
    "plc",
    "LLP",
    "& Sons Ltd",
    "& Co",
    "DAC",
    "Teoranta",
    "(UK) Ltd",
    "Group",
)

# Names that a program meets sooner or later.
DIFFICULT_SUPPLIERS: Final = (
    'The "Works" Printing Co',
    "Pixel <Byte> Studio",
    "R&D Tax & Grants LLP",
    "O'Neill's Bakery & Café",
    "Søren Ærø Møbler A/S",
    "Société Générale d'Éclairage S.à r.l.",
    "Żabka Logistyka Sp. z o.o.",
    "東京精密株式会社",
    "深圳市光明电子有限公司",
    "한빛무역 주식회사",
    "Ελληνικά Υλικά Α.Ε.",
    "Zoë & Chloë Interiors",
    "1st Choice Skips",
    "A/C & Heating; Repairs, 24h",
    "Caffè Nonna S.r.l.",
    "Naïve Brothers 100% Organic",
    "Smith  &  Smith",
    "AT&T-style Cables]]> Ltd",
)

FIRST_NAMES: Final = (
    "Aoife Ben Ciara Daniel Éabha Fergus Grace Harriet Isla Jack Kwame Leila Mateusz Niamh Oisín Priya Róisín Seán"
    " Tomasz Úna Victoria William Yusuf Zara"
).split()

LAST_NAMES: Final = (
    "Adeyemi Begum Byrne Clarke Doyle Evans Farrell Hughes Iqbal Jones Kelly Lynch Murphy Nowak O'Connell Patel"
    " Quinn Roberts Smyth Taylor Walsh Young"
).split()

STREETS: Final = (
    "Abbey Street,Bridge Road,Canal Walk,Church Lane,Dock Road,Elm Grove,Foundry Yard,Grange Park,High Street"
    ",Kiln Lane,Main Street,Market Square,Mill Road,Orchard Close,Parnell Place,Quay Street,Station Approach"
    ",Victoria Terrace"
).split(",")

# (town, county, country, country code, beginning of the postal code, currency)
TOWNS: Final = (
    ("London", "Greater London", "United Kingdom", "GB", "EC1A", "GBP"),
    ("Manchester", "Greater Manchester", "United Kingdom", "GB", "M1", "GBP"),
    ("Leeds", "West Yorkshire", "United Kingdom", "GB", "LS1", "GBP"),
    ("Bristol", "Bristol", "United Kingdom", "GB", "BS1", "GBP"),
    ("Birmingham", "West Midlands", "United Kingdom", "GB", "B1", "GBP"),
    ("Glasgow", "Lanarkshire", "United Kingdom", "GB", "G1", "GBP"),
    ("Cardiff", "South Glamorgan", "United Kingdom", "GB", "CF10", "GBP"),
    ("Belfast", "Co. Antrim", "United Kingdom", "GB", "BT1", "GBP"),
    ("Dublin", "Co. Dublin", "Ireland", "IE", "D02", "EUR"),
    ("Cork", "Co. Cork", "Ireland", "IE", "T12", "EUR"),
    ("Galway", "Co. Galway", "Ireland", "IE", "H91", "EUR"),
    ("Dún Laoghaire", "Co. Dublin", "Ireland", "IE", "A96", "EUR"),
)

DEPARTMENTS: Final = (
    ("ADMIN", "Administration"),
    ("BID", "Bid & Estimating"),
    ("CS", "Customer Service"),
    ("ENG", "Engineering"),
    ("FIN", "Finance"),
    ("FLEET", "Fleet"),
    ("HR", "People & Culture"),
    ("HSEQ", "Health, Safety & Quality"),
    ("IT", "Information Technology"),
    ("LEGAL", "Legal"),
    ("MKT", "Marketing"),
    ("OPS", "Operations"),
    ("RND", "R&D"),
    ("SALES", "Sales"),
)

REGIONS: Final = (
    ("001", "London & South East"),
    ("002", "South West"),
    ("003", "Midlands"),
    ("004", "North of England"),
    ("005", "Scotland"),
    ("006", "Wales"),
    ("007", "Northern Ireland"),
    ("008", "Leinster"),
    ("009", "Munster"),
    ("010", "Connacht & Ulster"),
)

PROJECTS: Final = (
    "Abbey Retail Park refit,Airport Terminal 2 HVAC,Albert Dock lighting,Annual shutdown 2026,Aran ferry pier"
    ",Bank of Leinster branches,Bristol data hall,Campus Wi-Fi roll-out,Canal Quarter offices,City Hospital wing C"
    ",Claddagh arts centre,Cork harbour cranes,Docklands tower fit-out,Eastgate car park,ERP replacement"
    ",Fibre to the depot,Galway brewery,Glasgow cold store,Grid connection West,Head office move"
    ",Heat pump pilot,Holyhead terminal,House of O'Hara restoration,ISO 14001 certification,Kilbride solar farm"
    ',Leeds tram depot,Library "Níamh" extension,Limerick lab <phase 2>,Manchester arena,Metro signalling'
    ",Moorgate refurbishment,North quay flood wall,Pharma clean room,Royal infirmary A&E,Schools framework lot 3"
    ",Skerries wind study,Stadium seating,Swansea bus garage,University library,Water treatment Foyle"
).split(",")
