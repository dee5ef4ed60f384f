"""Units and possible ranges of common measurements, by the names that tables give them.

Source of the ranges: the limits beyond which MIMIC-Extract takes a value for an error (S. Wang et al., MIMIC-Extract:
a data extraction, preprocessing, and representation pipeline for MIMIC-III, CHIL 2020, variable_ranges.csv), some made
wider for children and outpatients, and put into other units; ages and body measures by the greatest ever recorded.
"""

from __future__ import annotations

import re

# names | unit, least, most, and between which a table's median lies, so that units are told apart | the next unit
TABLE = """
age, xage, age years, ageyears, anchor age | years 0 125 0 110
height, ht, body height, htcm | cm 20 275 60 215 | m 0.2 2.75 0.6 2.2 | in 8 108 24 85
weight, wt, body weight, wtkg, admission weight | kg 0.2 450 1 110 | lb 0.5 990 110 300
bmi, body mass index | kg/m2 5 150 11 60
heart rate, heartrate, hr, hrt, pulse, pulse rate, thalach | /min 0 390 35 220
resp, resp rate, respiratory rate, rr, respiration rate | /min 0 150 8 70
temp, temperature, body temperature, temp c, temp f, temperature c, temperature f | °C 14 47 33 42 | °F 57 117 91 108
sbp, systolic, systolic bp, systolic blood pressure, sysbp, trestbps, ap hi | mmHg 20 375 60 220
dbp, diastolic, diastolic bp, diastolic blood pressure, diabp, ap lo | mmHg 10 375 30 140
map, mbp, meanbp, mean bp, mean arterial pressure, mean blood pressure | mmHg 10 375 40 160
spo, spo 2, sao, o sat, oxygen saturation, o saturation | % 0 100 50 100
fio, inspired oxygen | fraction 0.2 1 0.2 1 | % 20 100 20 100
sodium, sod, na | mmol/L 50 225 110 170
potassium, pot, k | mmol/L 0.5 15 2 8
chloride, cl | mmol/L 50 200 80 130
bicarbonate, hco, bicarb, tco, total co | mmol/L 0 66 8 45
anion gap, aniongap | mmol/L -10 55 2 30
calcium, ca total | mg/dL 2 30 6 13 | mmol/L 0.5 7.5 1.5 3.5
magnesium, mg | mg/dL 0 20 1 4
phosphate, phosphorus | mg/dL 0.1 22 1.5 8
creatinine, crea, creat, cr, scr | mg/dL 0 66 0.2 15 | umol/L 5 5800 20 1300
bun, urea nitrogen, blood urea nitrogen | mg/dL 0 275 3 120
urea | mmol/L 0 100 1 40 | mg/dL 0 600 41 260
glucose, blood glucose, glu, plasma glucose, fasting glucose | mg/dL 5 2200 45 500 | mmol/L 0.3 122 2.5 30
hba c, a c, hemoglobin a c, glycated hemoglobin | % 2 25 3 16 | mmol/mol 5 250 20 160
albumin, alb | g/dL 0.3 10 1 6 | g/L 3 100 10 60
bilirubin, bili, total bilirubin | mg/dL 0 66 0.1 20
alt, sgpt, alanine aminotransferase | U/L 0 11000 4 1000
ast, sgot, aspartate aminotransferase | U/L 0 22000 4 1000
alp, alkaline phosphatase | U/L 0 4000 20 600
cholesterol, chol, total cholesterol | mg/dL 20 1000 80 400 | mmol/L 0.5 26 2 11
hdl | mg/dL 1 250 20 110 | mmol/L 0.05 6.5 0.5 3
ldl | mg/dL 1 900 30 300 | mmol/L 0.05 23 0.8 8
triglycerides, tg | mg/dL 5 12000 40 600 | mmol/L 0.05 135 0.4 7
hemoglobin, haemoglobin, hgb, hb | g/dL 1 30 4 20 | g/L 10 300 40 200
hematocrit, haematocrit, hct | % 3 85 15 60
wbc, wblc, leukocytes, white blood cells, white blood cell count, white cell count | 10^9/L 0 1100 1 50
platelets, plt, platelet count | 10^9/L 0 2200 10 600
inr | ratio 0.3 50 0.7 8
lactate, lactic acid | mmol/L 0 35 0.3 15
crp, c reactive protein | mg/L 0 1000 0 300
troponin, troponin t, troponin i | ng/mL 0 1000 0 50
ph, arterial ph, blood ph | pH 6.3 8.4 6.8 7.8
pao, po | mmHg 10 770 30 500
paco, pco | mmHg 2 220 15 120
pafi, pf ratio, pao fio | mmHg 5 1500 30 650
gcs, gcs total, glasgow coma scale, glasgow coma score | points 3 15 3 15
urine, urine output, urineoutput | mL 0 20000 100 6000
cd | cells/mm3 0 9000 1 2500
los, length of stay | days 0 4000 0 365
"""
ASIDE = re.compile(
    r"\b(mean|min|max|avg|average|median|first|last|baseline|initial|value|val|serum|plasma|arterial|result|lab|level|"
    r"mg|dl|mmol|umol|g|l|ml|mmhg|bpm|kg|cm|years|yrs|at|admission|on|day|pct|percent|the|of|in|patient)\b"
)
Unit = tuple[str, float, float, float, float]


def parsed() -> dict[str, list[Unit]]:
    table = {}
    for line in TABLE.strip().splitlines():
        names, *units = (part.strip() for part in line.split("|"))
        rows: list[Unit] = []
        for unit in units:
            said, *numbers = unit.rsplit(" ", 4)
            low, high, least, most = map(float, numbers)
            rows.append((said, low, high, least, most))
        table.update({name.strip(): rows for name in names.split(",")})
    return table


KNOWN = parsed()


def words_of(name: str) -> list[str]:
    """A column's name as words: "patientNbr", "patient_nbr" and "PATIENT NBR" are ["patient", "nbr"]."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.replace("#", " number "))
    return [word for word in re.split(r"[^a-z]+", apart.lower()) if word]


def spellings(name: str) -> tuple[str, str, str]:
    whole = " ".join(words_of(name))
    return whole, whole.replace(" ", ""), " ".join(ASIDE.sub(" ", whole).split())


def unit_of(name: str, median: float) -> tuple[str, float, float] | None:
    """(unit, least, most) of a measurement by its name, in the unit in which its median is an ordinary one."""
    for spelling in spellings(name):
        for unit, low, high, least, most in KNOWN.get(spelling, []):
            if least <= median <= most:
                return unit, low, high
    return None


def unit_names(name: str) -> list[str]:
    """The units that a measurement of that name comes in; none where the name is unknown, or too short to be sure."""
    known = next((KNOWN[s] for s in spellings(name) if s in KNOWN and len(s) > 2), [])
    return [unit for unit, *_ in known]
